import packageJson from "../package.json" with { type: "json" };

/** Of Clavis, as semantic versioning has it. */
export const { version } = packageJson;
