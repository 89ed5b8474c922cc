import { type ExecFileSyncOptions, execFileSync } from 'node:child_process';

/**
 * Runs a program to its end.
 *
 * @returns what it wrote on standard output, without the white space around
 * @throws Error if it fails: says what was run, and all that it wrote
 */
export function run(
  program: string,
  args: readonly string[],
  options: Pick<ExecFileSyncOptions, 'cwd' | 'env'> = {},
): string {
  try {
    return execFileSync(program, args, {
      ...options,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 64 << 20,
    }).trim();
  } catch (error) {
    const { stdout, stderr } = error as { readonly stdout?: string; readonly stderr?: string };
    const said = [stdout, stderr].filter((text) => text !== undefined && text !== '').join('\n');
    throw new Error(`${program} ${args.join(' ')}\n${said}`, { cause: error });
  }
}
