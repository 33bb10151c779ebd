import { defineConfig } from "vite";

// One script and one style sheet beside index.html: the page may load nothing from elsewhere and run nothing
// inline, and all of it is compiled into the daemon.
export default defineConfig({
  base: "/page/",
  build: {
    target: "es2021",
    assetsDir: "",
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
  },
  esbuild: { jsx: "automatic", jsxImportSource: "preact", legalComments: "none" },
  server: { proxy: { "^/(minimill|v1|api)/": "http://127.0.0.1:4177" } },
});
