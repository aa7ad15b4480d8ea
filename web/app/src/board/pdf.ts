/** PDF.js, with its worker and the files that it needs from this server alone. */
import { GlobalWorkerOptions, getDocument, type PDFDocumentProxy } from "pdfjs-dist";
import workerUrl from "pdfjs-dist/build/pdf.worker.min.mjs?url";

GlobalWorkerOptions.workerSrc = workerUrl;

export function openPdf(data: ArrayBuffer): Promise<PDFDocumentProxy> {
  return getDocument({
    data,
    cMapUrl: `${__PDF_ASSETS__}cmaps/`,
    cMapPacked: true,
    wasmUrl: `${__PDF_ASSETS__}wasm/`,
    // The page's policy forbids WebAssembly: pictures in JPEG 2000 take longer, colour profiles are passed over.
    useWasm: false,
    useSystemFonts: true,
    enableXfa: false,
    stopAtErrors: false,
  }).promise;
}
