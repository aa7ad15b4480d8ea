/** Headless client of a Lyceum classroom. */
export const sdkVersion = "0.1.0";
