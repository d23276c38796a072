import { defineConfig } from "vite";
import { compressed, firstLoad } from "./build/assets.ts";

export default defineConfig({
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false }, chunkSizeWarningLimit: 700 },
  plugins: [compressed(), firstLoad()],
  server: { proxy: { "/api": "http://127.0.0.1:7878", "/ws": { target: "http://127.0.0.1:7878", ws: true } } },
});
