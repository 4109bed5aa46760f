// Finds a Python and gives Schemathesis a virtual environment of its own, once, under node_modules/.cache.
// It must never install anything outside that folder, and must say by name what a machine lacks.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const VERSION = "4.32.5";
const OLDEST = [3, 10];
/** Best first: 3.11 is what the pinned version is tried with. */
const CANDIDATES = ["python3.11", "python3", "python3.13", "python3.12", "python3.10", "python"];

/** What the machine lacks, in words for the person at the keyboard. */
export class Lacking extends Error {}

/** @returns the path of the program `schemathesis`, installed on the first call */
export function schemathesis(root) {
  const python = findPython();
  const home = join(root, "node_modules", ".cache", `schemathesis-${VERSION}-python-${python.version}`);
  const bin = join(home, process.platform === "win32" ? "Scripts" : "bin");
  const done = join(home, "installed");
  if (!existsSync(done)) {
    console.log(`Installing schemathesis ${VERSION} for Python ${python.version} into ${home}`);
    rmSync(home, { recursive: true, force: true });
    mkdirSync(home, { recursive: true });
    run(
      [python.command, "-m", "venv", home],
      "Python is there, its module venv is not. On Debian and Ubuntu: apt-get install python3-venv.",
    );
    run(
      [
        join(bin, "python"),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        `schemathesis==${VERSION}`,
      ],
      "pip could not install it; is the Python package index reachable?",
    );
    writeFileSync(done, "");
  }
  return join(bin, "schemathesis");
}

function findPython() {
  const ask = "import sys; print('.'.join(map(str, sys.version_info[:2])))";
  for (const command of CANDIDATES) {
    const { status, stdout } = spawnSync(command, ["-c", ask], { encoding: "utf8" });
    if (status !== 0) continue;
    const version = stdout.trim();
    const [major, minor] = version.split(".").map(Number);
    if (major === OLDEST[0] && minor >= OLDEST[1]) return { command, version };
  }
  throw new Lacking(
    `The fuzzer Schemathesis needs Python ${OLDEST.join(".")} or newer, and there is none (looked for ${CANDIDATES.join(", ")}). On Debian and Ubuntu: apt-get install python3 python3-venv.`,
  );
}

function run([command, ...args], advice) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status === 0) return;
  const said = `${stdout}${stderr}`.trim().split("\n").slice(-8).join("\n");
  throw new Lacking(`${advice}\n\n${said}`);
}
