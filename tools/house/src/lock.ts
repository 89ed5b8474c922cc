/** One package of package-lock.json, as far as the rules of the house read it. */
export interface Locked {
  readonly version?: string;
  readonly name?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly engines?: Readonly<Record<string, string>>;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export interface Lock {
  packages: Record<string, Locked>;
}

const libcs: Readonly<Record<string, string>> = {
  gnu: 'glibc',
  gnueabihf: 'glibc',
  musl: 'musl',
  musleabihf: 'musl',
};

/**
 * What a lock file lacks: the optional dependencies of locked packages for which it has no entry.
 *
 * npm leaves out the builds for other platforms when it cannot see them as it writes the lock, and
 * then `npm ci` refuses the file, here or on the platform that needed them. Their versions are known
 * from the package that asks for them and their platforms from their names, by the naming that all
 * native packages follow (`win32-x64-msvc`, `linux-arm64-musl`).
 */
export function missingFromLock({ packages }: Lock): Record<string, Locked> {
  const missing: Record<string, Locked> = {};
  for (const [path, { optionalDependencies = {}, engines, dev }] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      if (lookUp(packages, path, name)) continue;
      missing[`node_modules/${name}`] = {
        version,
        ...platform(name),
        ...(dev === true && { dev }),
        optional: true,
        ...(engines && { engines }),
      };
    }
  }
  return missing;
}

/** Looks for a package as Node does: beside the asker, then in each folder above it. */
function lookUp(packages: Lock['packages'], from: string, name: string): boolean {
  let folder = from;
  while (folder !== '') {
    if (packages[`${folder}/node_modules/${name}`]) return true;
    folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1));
  }
  return packages[`node_modules/${name}`] !== undefined;
}

function platform(name: string): Pick<Locked, 'os' | 'cpu' | 'libc'> {
  const found =
    /(aix|android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32)-([a-z0-9]+?)(?:-([a-z]+))?$/.exec(
      name,
    );
  if (found === null) return {};
  const libc = libcs[found[3] ?? ''];
  return {
    cpu: [found[2]!],
    ...(libc !== undefined && found[1] === 'linux' && { libc: [libc] }),
    os: [found[1]!],
  };
}
