// The SDK runs wherever fetch and WebCrypto are: nothing of Node.js and no package but the contract, in what it ships.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const PACKAGES = fileURLToPath(new URL("../../", import.meta.url));
const sourcesOf = (name: string): { path: string; text: string }[] =>
  readdirSync(join(PACKAGES, name, "src"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => ({ path: `${name}/src/${path}`, text: readFileSync(join(PACKAGES, name, "src", path), "utf8") }));

test("client and contract import nothing of Node.js, and no package but the contract", () => {
  const foreign = [...sourcesOf("client"), ...sourcesOf("contract")].flatMap(({ path, text }) =>
    [...text.matchAll(/\b(?:from|import)\s*\(?\s*"([^".][^"]*)"/g)]
      .map((match) => match[1])
      .filter((name) => name !== "@posthorn/contract")
      .map((name) => `${path} imports ${name}`),
  );
  expect(foreign).toEqual([]);
});

test("neither asks for a global that only Node.js has", () => {
  const asking = [...sourcesOf("client"), ...sourcesOf("contract")].filter(({ text }) =>
    /\b(?:process|Buffer|require|__dirname|setImmediate)\b[.(]/.test(text.replaceAll(/^\s*(?:\*|\/\/).*$/gm, "")),
  );
  expect(asking.map(({ path }) => path)).toEqual([]);
});

test("every file opens by saying what it is for", () => {
  expect(sourcesOf("client").filter(({ text }) => !text.startsWith("// "))).toEqual([]);
});
