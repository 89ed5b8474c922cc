import { honest } from './over.ts';

export const port = honest;
export const format: unknown = { bits: { p: 1 }, va: 0, pa: 'here', modes: [0], walks: [] };
