/**
 * What of Excalidraw and of PDF.js goes into the page. Both are made to load parts of them later, Excalidraw from a CDN if it does not
 * find them: fonts, 13 MB of Chinese, Japanese and Korean handwriting among them, 50 languages, WebAssembly. The page has one language
 * and may load from its own server alone; so what it needs is copied to folders that name the version, and the rest stays out.
 * docs/decisions/0017-board.md says what follows for people.
 */
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const { resolve } = createRequire(import.meta.url);
const prod = dirname(resolve("@excalidraw/excalidraw"));
const { version } = JSON.parse(readFileSync(join(prod, "../../package.json"), "utf8"));

/** Where its fonts lie; below `assets/`, since what is there may be cached for ever. */
const folder = `assets/excalidraw-${version}`;
const families = ["Cascadia", "ComicShanns", "Excalifont", "Lilita", "Nunito", "Virgil"];

const noSubsets = "\0excalidraw-no-subsets";
const noLocale = "\0excalidraw-no-locale";

/** A picture of a board as SVG brings its fonts whole: making them smaller would need 1.8 MB of code and WebAssembly. */
const noSubsetsCode = `
export const WorkerUrl = undefined;
export const Commands = { Subset: "subset" };
export async function toBase64(buffer) {
  const reader = new FileReader();
  return new Promise((resolve, reject) => {
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(new Blob([buffer], { type: "font/woff2" }));
  });
}
export const subsetToBase64 = toBase64;
`;

export function excalidrawParts() {
  const replaced = new Set();
  let builds = false;
  return {
    name: "lyceum-excalidraw-parts",
    // Before Vite finds the files itself.
    enforce: "pre",
    config(_, { command }) {
      builds = command === "build";
      const path = builds ? `/${folder}/` : `/@fs${prod}/`;
      return { define: { __EXCALIDRAW_ASSETS__: JSON.stringify(path) } };
    },
    resolveId(source, importer) {
      if (!builds || !importer?.startsWith(prod)) return null;
      if (/\/subset-(worker|shared)\.chunk\.js$/.test(source)) return noSubsets;
      if (/\/locales\/(?!en-)/.test(source)) return noLocale;
      return null;
    },
    load(id) {
      if (id === noSubsets) return noSubsetsCode;
      if (id === noLocale) return "export default {};";
      return null;
    },
    transform(code, id) {
      if (!builds || !id.startsWith(prod) || !code.includes("ASSETS_FALLBACK_URL")) return null;
      const replace = (what, pattern, by) => {
        if (!pattern.test(code)) this.error(`Excalidraw ${version} is built otherwise: no ${what}`);
        code = code.replace(pattern, by);
        replaced.add(what);
      };
      replace(
        "CDN",
        /(ASSETS_FALLBACK_URL",)`https:\/\/esm\.sh\/.+?\/dist\/prod\/`\)/,
        `$1location.origin+"/${folder}/")`,
      );
      // Text in Chinese, Japanese or Korean is shown in the system's own font.
      replace("CJK font", /(\w+)\((\w+),\.\.\.\w+\),(\1\(\w+,\.\.\.\w+\),\w+\._initialized)/, "$1($2),$3");
      replace("Liberation Sans", /\("Liberation Sans",\.\.\.\w+\)/, '("Liberation Sans")');
      return { code, map: null };
    },
    generateBundle() {
      if (replaced.size !== 3) this.error("Excalidraw's fonts were not looked at");
      for (const family of families) {
        for (const file of readdirSync(join(prod, "fonts", family))) {
          const source = readFileSync(join(prod, "fonts", family, file));
          this.emitFile({ type: "asset", fileName: `${folder}/fonts/${family}/${file}`, source });
        }
      }
    },
  };
}

const pdf = dirname(resolve("pdfjs-dist/package.json"));
const pdfVersion = JSON.parse(readFileSync(join(pdf, "package.json"), "utf8")).version;
const pdfFolder = `assets/pdfjs-${pdfVersion}`;

/** Old Chinese, Japanese and Korean PDFs name tables that are not in them; JPEG 2000 is read without WebAssembly, which the page forbids. */
export function pdfParts() {
  const files = [
    ...readdirSync(join(pdf, "cmaps"))
      .filter((file) => file.endsWith(".bcmap"))
      .map((file) => `cmaps/${file}`),
    "cmaps/LICENSE",
    "wasm/openjpeg_nowasm_fallback.js",
    "wasm/LICENSE_OPENJPEG",
    "wasm/LICENSE_PDFJS_OPENJPEG",
  ];
  return {
    name: "lyceum-pdf-parts",
    config(_, { command }) {
      const path = command === "build" ? `/${pdfFolder}/` : `/@fs${pdf}/`;
      return { define: { __PDF_ASSETS__: JSON.stringify(path) } };
    },
    generateBundle() {
      for (const file of files) {
        const name = file.includes("LICENSE") ? `${file}.txt` : file;
        this.emitFile({
          type: "asset",
          fileName: `${pdfFolder}/${name}`,
          source: readFileSync(join(pdf, file)),
        });
      }
    },
  };
}
