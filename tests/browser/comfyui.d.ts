// What this pack uses of ComfyUI's frontend, which publishes no types for the scripts that it
// serves. It is written down by hand: add here what you use, and nothing else.

declare namespace Comfy {
  /** A file on the server, as its /view route takes it. */
  interface File {
    filename: string;
    subfolder: string;
    type: string;
  }

  /** What a node sent to the browser after a run: a list under each key. */
  type NodeOutput = Record<string, any[]>;

  interface Widget {
    name: string;
    value: any;
    hidden?: boolean;
    serialize?: boolean;
    options: { hidden?: boolean };
    element?: HTMLElement;
    callback?(value: unknown): void;
  }

  interface DOMWidgetOptions {
    serialize?: boolean;
    hideOnZoom?: boolean;
    /** Pixels left free on each side in classic rendering. */
    margin?: number;
    /** The events that select the node; "focus" and "click" by default. */
    selectOn?: string[];
    getMinHeight?(): number;
  }

  interface Node {
    id: number;
    type: string;
    comfyClass: string;
    title: string;
    /** null once the node has been deleted */
    graph: Graph | null;
    pos: [number, number];
    /** x, y, width and height on the graph, with the title */
    boundingRect: Iterable<number>;
    size: [number, number];
    inputs: { name: string; link: number | null }[];
    widgets: Widget[];

    addDOMWidget(
      name: string,
      type: string,
      element: HTMLElement,
      options: DOMWidgetOptions,
    ): Widget;
    computeSize(): [number, number];
    disconnectInput(slot: number): void;
    connect(slot: number, target: Node, targetSlot: number): void;
    findInputSlot(name: string): number;
    getInputNode(slot: number): Node | null;
    isSubgraphNode(): boolean;
    setDirtyCanvas(foreground: boolean, background: boolean): void;
    setSize(size: [number, number]): void;

    // ComfyUI calls these where a node has them.
    onAdded?(graph: Graph): void;
    onConfigure?(data: unknown): void;
    onConnectionsChange?(...change: unknown[]): void;
    onExecuted?(output: NodeOutput): void;
    onExecutionStart?(): void;
    onRemoved?(): void;
    onSerialize?(saved: { size: [number, number] }): void;
  }

  interface Graph {
    id: string;
    extra: Record<string, unknown>;
    isRootGraph: boolean;
    nodes: Node[];
    add(node: Node): void;
    clear(): void;
    convertToSubgraph(nodes: Set<Node>): void;
    getNodeById(id: number): Node;
    remove(node: Node): void;
    serialize(): unknown;
    setDirtyCanvas(foreground: boolean, background: boolean): void;
    unpackSubgraph(node: Node): void;
  }

  interface RootGraph extends Graph {
    subgraphs: Map<string, Graph>;
  }

  interface Canvas {
    canvas: HTMLCanvasElement;
    ds: { scale: number; offset: [number, number] };
    selectedItems: Set<{ id: number }>;
    emitBeforeChange?(): void;
    emitAfterChange?(): void;
    processMouseWheel(event: WheelEvent): void;
    selectItems(items: Node[]): void;
    selectNode(node: Node): void;
    setDirty(foreground: boolean, background: boolean): void;
  }

  interface Extension {
    name: string;
    beforeConfigureGraph?(): void;
    loadedGraphNode?(node: Node): void;
    nodeCreated?(node: Node): void;
    onNodeOutputsUpdated?(outputs: Record<string, NodeOutput>): void;
  }

  interface ExtensionManager {
    command: { execute(name: string): Promise<void> };
    setting: { set(name: string, value: unknown): Promise<void> };
    workflow: {
      activeWorkflow: {
        changeTracker: { captureCanvasState(): void; undo(): Promise<void> };
      };
    };
  }

  interface App {
    api: Api;
    canvas: Canvas;
    extensionManager: ExtensionManager;
    /** The graph that is shown: the root graph or a subgraph. */
    graph: Graph;
    /** The results of the nodes by their ids; within a subgraph by `${graph.id}:${node.id}`. */
    nodeOutputs: Record<string, NodeOutput>;
    rootGraph: RootGraph;
    loadGraphData(workflow: unknown): Promise<void>;
    queuePrompt(position: number): Promise<void>;
    registerExtension(extension: Extension): void;
  }

  interface Api {
    addEventListener(
      type: string,
      listener: (event: CustomEvent) => void,
      options?: AddEventListenerOptions,
    ): void;
    /** The address of a route, with the prefix that this server has. */
    apiURL(route: string): string;
    fetchApi(route: string, options?: RequestInit): Promise<Response>;
  }
}

// The pack's files are served under /extensions/<pack>/, and import these from the server's root.
declare module "*/scripts/app.js" {
  export const app: Comfy.App;
}

declare module "*/scripts/api.js" {
  export const api: Comfy.Api;
}
