import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { errorTexts } from "./scripts/error-texts.ts";

const backend = process.env.SOCKETING_URL ?? "http://127.0.0.1:8600";

export default defineConfig({
  plugins: [react(), tailwindcss(), errorTexts()],
  server: {
    proxy: {
      "/v1": { target: backend, ws: true },
      "/docs": backend,
      "/openapi.json": backend,
    },
  },
  build: {
    target: "es2022",
    // The page's content security policy allows nothing inline, data: addresses included.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  test: { environment: "node", include: ["src/**/*.test.ts"] },
});
