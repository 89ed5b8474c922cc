import { expect, it } from 'vitest';
import * as errno from './errno.ts';

const numbers = Object.entries(errno).flatMap(([name, value]): [string, number][] =>
  typeof value === 'number' ? [[name, value]] : [],
);

it.each(numbers)('%s has its own number and is named by it', (name, number) => {
  expect(errno.errnoName(number)).toBe(name);
  expect(numbers.filter(([, other]) => other === number)).toHaveLength(1);
});

it('success is 0, and what is not listed is told by its number', () => {
  expect([errno.errnoName(0), errno.errnoName(93)]).toEqual(['0', 'errno 93']);
});

it('the numbers are NetBSD’s where Linux has others', () => {
  expect([errno.EAGAIN, errno.EOPNOTSUPP, errno.ENOSYS, errno.EOVERFLOW]).toEqual([35, 45, 78, 84]);
});
