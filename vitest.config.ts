// How the tests run: sources are imported straight from packages/*/src (the `source` condition),
// against one PostgreSQL that the global setup starts. Files share three processes one after the other, so that the product
// is loaded three times and not once a file (measured on 64 files: 91 s of CPU instead of 145): a test must leave nothing
// behind in its process, neither variables nor handlers nor timers.
import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["source", ...defaultServerConditions] },
  ssr: { resolve: { conditions: ["source", ...defaultServerConditions] } },
  test: {
    include: ["packages/*/test/**/*.test.ts"],
    pool: "forks",
    isolate: false,
    maxWorkers: 3,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    globalSetup: ["packages/server/test/support/global-setup.ts"],
    reporters: ["default"],
  },
});
