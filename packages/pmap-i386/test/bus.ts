import { hex, PhysicalMemory, type Pa } from '@uvmkit/pmap';

/** Physical memory with a bus analyser: keeps every word access of 32 bits while it is on. */
export class TracedMemory extends PhysicalMemory {
  /** `R00001080 W00001080 …` */
  trace: string[] = [];

  override readLe32(pa: Pa): number {
    this.trace.push(`R${hex(pa).slice(2)}`);
    return super.readLe32(pa);
  }

  override writeLe32(pa: Pa, value: number): void {
    this.trace.push(`W${hex(pa).slice(2)}`);
    super.writeLe32(pa, value);
  }

  /** Writes bytes given as `07 20 00 00`, unseen by the analyser. */
  poke(pa: Pa, text: string): void {
    text.split(' ').forEach((byte, i) => this.write8(pa + i, Number.parseInt(byte, 16)));
  }

  /** Every word that is not zero, as `address: bytes`, unseen by the analyser. */
  words(): Record<number, string> {
    const found: Record<number, string> = {};
    const view = new Uint32Array(this.bytes.buffer);
    for (let i = 0; i < view.length; i++) {
      if (view[i] === 0) continue;
      const bytes = [...this.bytes.subarray(i * 4, i * 4 + 4)];
      found[i * 4] = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    }
    return found;
  }
}
