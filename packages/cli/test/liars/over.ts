import type { BootServices, MachineDependent, Pmap, Port } from '@uvmkit/pmap';
import { i386 } from '@uvmkit/pmap-i386';

/** An i386 whose pmap is another's in part. */
export function i386But(lie: (pmap: Pmap) => Partial<Pmap>): Port {
  const { name, description, layout, capabilities } = honest();
  return {
    name,
    description,
    layout,
    capabilities,
    boot: (services: BootServices): MachineDependent => {
      const md = honest().boot(services);
      Object.assign(md.pmap, lie(md.pmap));
      return md;
    },
  };
}

/** An i386 as it is. */
export function honest(): Port {
  const port = i386();
  const { name, description, layout, capabilities } = port;
  return { name, description, layout, capabilities, boot: (services) => port.boot(services) };
}
