/** @zoots/cli: the program `zoots`. What is exported is for the scripts that make its documentation and its bundle. */
export { bundledPackages, bundleFile, bundleText, compiledFile, compiledOf, isCurrent, loadBundle } from './bundled.js';
export { commandNames, commandUsage } from './zkcli/command-rows.js';
