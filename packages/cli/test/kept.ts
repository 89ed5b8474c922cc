import { Writable } from 'node:stream';
import picocolors from 'picocolors';
import { run } from '../src/index.ts';

/** A stream that keeps what is written to it. */
class Kept extends Writable {
  text = '';
  isTTY = false;

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

/** Runs the command without colours: its exit code and what it wrote. */
export async function uvmkit(
  ...args: string[]
): Promise<{ code: number; out: string; err: string }> {
  const stdout = new Kept();
  const stderr = new Kept();
  const code = await run(args, {
    stdout: stdout as Writable as NodeJS.WriteStream,
    stderr: stderr as Writable as NodeJS.WriteStream,
    colors: picocolors.createColors(false),
    clock: () => 0,
  });
  return { code, out: stdout.text, err: stderr.text };
}
