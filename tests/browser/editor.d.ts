// What the browser scripts find in the page, beside what ComfyUI puts there.

interface Window {
  app: Comfy.App;
  LiteGraph: { createNode(type: string): Comfy.Node };

  // editor.mjs
  /** The first node of a type; an error if there is none. */
  findNode(type: string): Comfy.Node;
  /** A widget of the first node of a type; an error if there is none. */
  findWidget(type: string, name: string): Comfy.Widget;
  finished: Promise<Record<string, Comfy.NodeOutput>>;

  // explorer.mjs
  /** The stage files that the page has received. */
  stageFiles: WeakRef<ArrayBuffer>[];
  /** Milliseconds that each animation frame took to compute and draw. */
  frameTimes: number[];

  // point_editor.mjs
  chooseImage(name: string): void;
  textNode: Comfy.Node;
}
