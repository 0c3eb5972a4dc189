/** The version of flan, as `flan --version` prints it. */
export const version = "0.1.0";
