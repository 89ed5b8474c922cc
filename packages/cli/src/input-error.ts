/** Something the user gave cannot be used: the message says what was expected and found. Exit code 2, no stack trace. */
export class InputError extends Error {
  override readonly name: string = 'InputError';
}
