// The version of this program. A test compares it with package.json; the command line does not read files to know it.
export const VERSION = '0.1.0';
