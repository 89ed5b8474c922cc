/** Thrown into a thread's body when the thread, or its process, is to end. Let it through. */
export class ThreadDeath extends Error {
  override readonly name: string = 'ThreadDeath';

  constructor() {
    super('this thread has ended');
  }
}
