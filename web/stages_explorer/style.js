export const STYLE = `
.dpt-stages { display: flex; flex-direction: column; box-sizing: border-box; width: 100%;
  height: 100%; padding: 6px; outline: none;
  border-radius: 8px; background: var(--comfy-input-bg); color: var(--input-text);
  font: 12px/1.35 sans-serif; overflow: auto; user-select: none; }
.dpt-stages:focus-visible { outline: 1px solid currentColor; outline-offset: -1px; }
.dpt-stages .bar { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; }
.dpt-stages button { font: inherit; color: inherit; cursor: pointer; padding: 3px 10px;
  border: 1px solid var(--border-color); border-radius: 6px; background: var(--comfy-menu-bg); }
.dpt-stages button:disabled { opacity: 0.5; cursor: default; }
.dpt-stages button[aria-pressed="true"] { background: #ffc43d; border-color: #a87400; color: #222; }
.dpt-stages .status { opacity: 0.75; flex: 1 1 160px; }
.dpt-stages .body { display: none; margin-top: 6px; }
.dpt-stages.open .body { display: flex; flex-direction: column; flex: 1; min-height: 0; }
.dpt-stages .strip { display: grid; gap: 6px; align-content: start;
  grid-template-columns: repeat(var(--columns, 1), minmax(0, 1fr)); }
.dpt-stages figure { margin: 0; min-width: 0; }
.dpt-stages .mat { aspect-ratio: var(--mat-aspect); display: grid; place-items: center; }
.dpt-stages .frame { aspect-ratio: var(--aspect); width: var(--picture-width);
  position: relative; overflow: hidden; border-radius: 5px; cursor: crosshair;
  touch-action: none; outline: 1px solid transparent; }
.dpt-stages .chosen .frame { outline: 2px solid #ffc43d; }
.dpt-stages canvas { display: block; width: 100%; height: 100%; image-rendering: pixelated; }
.dpt-stages .smooth canvas { image-rendering: auto; }
.dpt-stages figcaption { overflow: hidden; white-space: nowrap; text-overflow: ellipsis; }
.dpt-stages figcaption small { opacity: 0.65; }
.dpt-stages .ring { position: absolute; width: 10px; height: 10px; margin: -7px 0 0 -7px;
  border: 2px solid #ffc43d; border-radius: 50%; box-shadow: 0 0 0 1px #000; display: none;
  pointer-events: none; }
.dpt-stages.similar .ring { display: block; }
.dpt-stages .large { margin-top: 8px; flex: 1; min-height: 120px; container-type: size; }
.dpt-stages .large figcaption { height: 20px; }
.dpt-stages .large .mat { margin: 0 auto;
  max-width: calc((100cqh - 20px) * var(--mat-aspect)); }
.dpt-stages .slider { display: flex; gap: 8px; align-items: center; margin-top: 6px; }
.dpt-stages .slider input { flex: 1; }
.dpt-stages-dialog { box-sizing: border-box; width: 100vw; height: 100vh; max-width: none;
  max-height: none; margin: 0; padding: 6px; border: 0; background: var(--comfy-menu-bg); }
.dpt-stages-dialog .dpt-stages .body { display: grid; gap: 6px 16px;
  grid-template: minmax(0, max-content) auto 1fr / minmax(0, 2fr) minmax(0, 3fr); }
.dpt-stages-dialog .strip { overflow: auto;
  grid-template-columns: repeat(var(--side-columns, 1), minmax(0, 1fr)); }
.dpt-stages-dialog .large { grid-area: 1 / 2 / 4 / 3; margin: 0; }
.dpt-stages-dialog .bar button[aria-expanded] { display: none; }
`;
