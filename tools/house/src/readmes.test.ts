import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { projects, root } from './workspace.ts';

// What its examples say is held by the gates of tools/release, which run them.

describe.each(projects('packages'))('the README of $folder', ({ folder, manifest }) => {
  const text = readFileSync(new URL(`${folder}/README.md`, root), 'utf8');
  const blocks = [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)];

  it('begins with the name, and what it is', () => {
    expect(text).toMatch(new RegExp(`^# ${manifest.name}\n\n\\S`));
  });

  it('says how to install it', () => {
    expect(text).toMatch(new RegExp(`^npm install .*${manifest.name}( |$)`, 'm'));
  });

  it('has an example that imports it and prints', () => {
    const [example] = blocks
      .filter(([, language]) => language === 'ts')
      .map(([, , body]) => body!)
      .filter((body) => /^console\.log\(.*\); \/\/ /m.test(body));
    expect(example).toMatch(new RegExp(`from '${manifest.name}'`));
  });

  it('draws where it sits', () => {
    const drawings = blocks.filter(([, language]) => language === '').map(([, , body]) => body!);
    expect(drawings.filter((body) => /[│▼▶┼]/.test(body)).length).toBeGreaterThan(0);
  });

  it('says what it promises', () => {
    expect(text).toMatch(/^## What it promises\n\n- /m);
  });
});
