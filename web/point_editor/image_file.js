/**
 * Read the value of a Load Image widget, such as "folder/a.png" or "a.png [output]".
 *
 * @param {string} value
 * @returns {{filename: string, subfolder: string, type: string}} as ComfyUI's /view takes it
 */
export function parseImageFile(value) {
  const [, path = "", type = "input"] = /^(.*?)(?: \[(input|output|temp)\])?$/.exec(value) ?? [];
  const slash = path.lastIndexOf("/");
  return {
    filename: path.slice(slash + 1),
    subfolder: path.slice(0, Math.max(slash, 0)),
    type,
  };
}
