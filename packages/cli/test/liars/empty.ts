export const ports: readonly string[] = [];
