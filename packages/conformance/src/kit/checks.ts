import type { MachineDependent, Port } from '@uvmkit/pmap';

const METHODS: readonly string[] = [
  'init',
  'virtualSpace',
  'create',
  'reference',
  'destroy',
  'residentCount',
  'wiredCount',
  'tableBytes',
  'enter',
  'remove',
  'protect',
  'unwire',
  'extract',
  'kenterPa',
  'kremove',
  'copy',
  'collect',
  'forget',
  'update',
  'activate',
  'deactivate',
  'zeroPage',
  'copyPage',
  'pageProtect',
  'clearModify',
  'clearReference',
  'isModified',
  'isReferenced',
  'physAddress',
  'describe',
];

const OPTIONAL: readonly string[] = ['growKernel', 'fork', 'prefer', 'mapPoolPage', 'procwr'];

/** What a capability may be: one of some words, or a type. */
const CAPABILITIES: Readonly<Record<string, readonly string[] | 'boolean' | 'number'>> = {
  execute: ['page', 'segment', 'none'],
  writeOnly: 'boolean',
  referenced: ['hardware', 'software', 'none'],
  modified: ['hardware', 'software'],
  addressSpaceTags: 'number',
  cacheAlias: 'number',
  tables: ['tree', 'hash', 'mmu'],
  deferred: 'boolean',
  scarceTables: 'boolean',
  strictAlignment: 'boolean',
  pageProtectWired: ['removes', 'keeps'],
  clearReferenceWired: ['removes', 'keeps'],
  kenterCounted: 'boolean',
  unwireMissing: ['panics', 'prints', 'silent'],
};

const ADDRESSES: readonly string[] = [
  'userMin',
  'userMax',
  'userStack',
  'kernelMin',
  'kernelMax',
  'maxDataSize',
  'maxStackSize',
];

/**
 * Why a value is no port that could be booted, one line a reason: for values that come from elsewhere.
 *
 * @returns nothing if it looks like one; whether it tells the truth is for the cases to say
 */
export function portProblems(value: unknown): string[] {
  if (!isObject(value)) return [`a port is an object, found ${said(value)}`];
  const problems: string[] = [];
  if (typeof value['name'] !== 'string' || !/^[a-z][a-z0-9-]*$/.test(value['name']))
    problems.push(`name: wanted lower-case letters and digits, found ${said(value['name'])}`);
  if (typeof value['description'] !== 'string')
    problems.push(`description: wanted words, found ${said(value['description'])}`);
  if (typeof value['boot'] !== 'function')
    problems.push(`boot: wanted a function, found ${said(value['boot'])}`);
  return [...problems, ...layoutProblems(value['layout']), ...capabilityProblems(value)];
}

function layoutProblems(layout: unknown): string[] {
  if (!isObject(layout)) return [`layout: wanted an object, found ${said(layout)}`];
  const problems: string[] = [];
  const { pageSize, userMin, userMax, userHoles } = layout;
  if (typeof pageSize !== 'number' || !(pageSize >= 4096) || !Number.isInteger(Math.log2(pageSize)))
    problems.push(`layout.pageSize: wanted a power of two ≥ 4096, found ${said(pageSize)}`);
  for (const name of ADDRESSES)
    if (!Number.isSafeInteger(layout[name]))
      problems.push(`layout.${name}: wanted a whole number of bytes, found ${said(layout[name])}`);
  if (typeof layout['littleEndian'] !== 'boolean')
    problems.push(`layout.littleEndian: wanted a boolean, found ${said(layout['littleEndian'])}`);
  if (typeof userMin === 'number' && typeof userMax === 'number' && !(userMin < userMax))
    problems.push(`layout: wanted userMin below userMax, found ${userMin} and ${userMax}`);
  if (!Array.isArray(userHoles))
    problems.push(`layout.userHoles: wanted a list, found ${said(userHoles)}`);
  return problems;
}

function capabilityProblems({ capabilities }: Readonly<Record<string, unknown>>): string[] {
  if (!isObject(capabilities))
    return [`capabilities: wanted an object, found ${said(capabilities)}`];
  return Object.entries(CAPABILITIES).flatMap(([name, wanted]) => {
    const found = capabilities[name];
    const right =
      typeof wanted === 'string' ? typeof found === wanted : wanted.some((word) => word === found);
    const words = typeof wanted === 'string' ? `a ${wanted}` : wanted.join(' or ');
    return right ? [] : [`capabilities.${name}: wanted ${words}, found ${said(found)}`];
  });
}

/**
 * Why a value is no `MmuFormat`, one line a reason: for values that come from elsewhere.
 *
 * @returns nothing if it looks like one; whether it is true of its MMU is for the cases to say
 */
export function formatProblems(value: unknown): string[] {
  if (!isObject(value)) return [`a format is an object, found ${said(value)}`];
  const { bits, walks } = value;
  const problems: string[] = [];
  if (!isObject(bits)) problems.push(`bits: wanted an object, found ${said(bits)}`);
  else
    for (const [name, values] of Object.entries(bits))
      if (!isNumbers(values)) problems.push(`bits.${name}: wanted numbers, found ${said(values)}`);
  for (const name of ['va', 'pa'])
    if (!Number.isSafeInteger(value[name]))
      problems.push(`${name}: wanted an address, found ${said(value[name])}`);
  if (!isNumbers(value['modes']))
    problems.push(`modes: wanted numbers, found ${said(value['modes'])}`);
  for (const name of ['mapped', 'allows', 'over'])
    if (typeof value[name] !== 'function')
      problems.push(`${name}: wanted a function, found ${said(value[name])}`);
  if (!Array.isArray(walks)) problems.push(`walks: wanted a list, found ${said(walks)}`);
  return problems;
}

/** Whether a value is a list of numbers, at least one of them. */
function isNumbers(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every(Number.isSafeInteger);
}

/** Why what `boot` answered is no booted port, one line a reason. */
export function bootProblems(value: unknown, port: Port, cpus: number): string[] {
  if (!isObject(value)) return [`boot: wanted what it is for, found ${said(value)}`];
  const md = value as Partial<MachineDependent> & Readonly<Record<string, unknown>>;
  const { pmap, mmus } = md;
  const problems: string[] = [];
  if (!isObject(pmap)) problems.push(`pmap: wanted an object, found ${said(pmap)}`);
  else {
    const missing = METHODS.filter((name) => typeof pmap[name] !== 'function');
    if (missing.length > 0)
      problems.push(`pmap: wanted every method, found none of ${missing.join(', ')}`);
    for (const name of OPTIONAL)
      if (pmap[name] !== null && typeof pmap[name] !== 'function')
        problems.push(`pmap.${name}: wanted a function or null, found ${said(pmap[name])}`);
  }
  if (!Array.isArray(mmus) || mmus.length !== cpus)
    problems.push(
      `mmus: wanted one for each of ${cpus} CPUs, found ${Array.isArray(mmus) ? mmus.length : said(mmus)}`,
    );
  else
    for (const [cpu, mmu] of mmus.entries())
      if (!isObject(mmu) || typeof mmu['translate'] !== 'function' || mmu['cpu'] !== cpu)
        problems.push(`mmus[${cpu}]: wanted the MMU of CPU ${cpu}, found ${said(mmu)}`);
  if (typeof md.trap !== 'function')
    problems.push(`trap: wanted a function, found ${said(md.trap)}`);
  if (!isObject(md.fault)) problems.push(`fault: wanted a record, found ${said(md.fault)}`);
  if (md.port?.name !== port.name)
    problems.push(`port: wanted the port that was booted, found ${said(md.port)}`);
  return problems;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** A value in a few words. */
function said(value: unknown): string {
  if (typeof value === 'string') return `"${value}"`;
  if (typeof value === 'function') return 'a function';
  return isObject(value) ? (Array.isArray(value) ? 'a list' : 'an object') : String(value);
}
