import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["lyceum-source"] },
  ssr: { resolve: { conditions: ["lyceum-source"] } },
  test: {
    environment: "node",
    include: ["sdk/src/**/*.test.ts", "app/src/**/*.test.{ts,tsx}"],
  },
});
