import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { excalidrawParts, pdfParts } from "./embedded-parts.mjs";

/** The server that `npm run dev` talks to: `lyceum serve --dev`. */
const devServer = "http://127.0.0.1:7880";

export default defineConfig({
  plugins: [react(), excalidrawParts(), pdfParts()],
  resolve: { conditions: ["lyceum-source", "module", "browser", "development|production"] },
  build: {
    target: "es2022",
    // Inlined assets would be data: URLs, which the page's content security policy refuses for fonts.
    assetsInlineLimit: 0,
    license: { fileName: "licenses.md" },
    // `npm run size` watches what a class loads.
    chunkSizeWarningLimit: 800,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: {
      "/api": devServer,
      "/xapi": devServer,
      "/rtc": { target: devServer, ws: true },
      "/classroom": { target: devServer, ws: true },
    },
  },
});
