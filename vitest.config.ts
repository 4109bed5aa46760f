// How the tests run: sources are imported straight from packages/*/src (the `source` condition),
// every file in a process of its own, against one PostgreSQL that the global setup starts.
import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["source", ...defaultServerConditions] },
  ssr: { resolve: { conditions: ["source", ...defaultServerConditions] } },
  test: {
    include: ["packages/*/test/**/*.test.ts"],
    pool: "forks",
    maxWorkers: 3,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    globalSetup: ["packages/server/test/support/global-setup.ts"],
    reporters: ["default"],
  },
});
