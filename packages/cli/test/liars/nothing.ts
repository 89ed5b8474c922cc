export const port = 42;
