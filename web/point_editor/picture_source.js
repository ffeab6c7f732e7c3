// Where the picture of a node comes from.

import { api } from "../../../scripts/api.js";
import { parseImageFile } from "./image_file.js";

/**
 * The address of the image that a Load Image node feeds in. With other nodes, what they give is
 * only known after a run.
 *
 * @param {Comfy.Node} node
 * @returns {string | null}
 */
export function upstreamPictureUrl(node) {
  const slot = node.inputs.findIndex(({ name }) => name === "image");
  const source = slot < 0 ? null : node.getInputNode(slot);
  if (source?.comfyClass !== "LoadImage") return null;
  const value = source.widgets?.find(({ name }) => name === "image")?.value;
  return typeof value === "string" && value ? fileUrl(parseImageFile(value)) : null;
}

/** Whether anything is connected to the image input. @param {Comfy.Node} node */
export function hasImage(node) {
  return node.inputs.some(({ name, link }) => name === "image" && link != null);
}

/** @param {Comfy.File} file @returns {string} */
export function fileUrl(file) {
  return api.apiURL(`/view?${new URLSearchParams({ ...file })}`);
}
