/** Whether a call is refused as a caller's mistake: by a RangeError, or by what `also` knows. */
export function refuses(
  run: () => unknown,
  also: (error: unknown) => boolean = () => false,
): boolean {
  try {
    run();
    return false;
  } catch (error) {
    if (error instanceof RangeError || also(error)) return true;
    throw error;
  }
}
