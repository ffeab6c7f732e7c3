export const STYLE = `
.dpt-points { display: flex; flex-direction: column; gap: 4px; box-sizing: border-box;
  width: 100%; height: 100%; min-height: 0; overflow: hidden; position: relative;
  font: 11px/1.4 sans-serif; color: var(--input-text); user-select: none; }
.dpt-points-bar { display: flex; gap: 3px; flex: none; }
.dpt-points-bar button { all: unset; box-sizing: border-box; min-width: 24px; height: 22px;
  padding: 0 6px; border-radius: 4px; text-align: center; line-height: 22px; cursor: pointer;
  background: var(--comfy-input-bg); }
.dpt-points-bar button:hover { filter: brightness(1.3); }
.dpt-points-bar button:focus-visible { outline: 1px solid currentColor; }
.dpt-points-bar button[disabled] { opacity: 0.35; pointer-events: none; }
.dpt-points-bar button[aria-pressed="false"] { opacity: 0.55; }
.dpt-points-bar .dpt-points-gap { flex: 1; }
.dpt-points-stage { position: relative; flex: 1; min-height: 0; border-radius: 4px;
  overflow: hidden; background: var(--comfy-input-bg); }
.dpt-points-stage svg { position: absolute; inset: 0; width: 100%; height: 100%;
  cursor: crosshair; touch-action: none; }
.dpt-points:focus-within .dpt-points-stage { box-shadow: inset 0 0 0 1px #5b9dff; }
.dpt-points-note { position: absolute; inset: 0; display: flex; align-items: center;
  justify-content: center; padding: 16px; text-align: center; pointer-events: none;
  background: color-mix(in srgb, var(--comfy-input-bg) 80%, transparent); }
.dpt-points-note:empty { display: none; }
.dpt-points-status { flex: none; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.dpt-points-status.dpt-points-wrong { white-space: normal;
  color: color-mix(in srgb, var(--error-text, #f44) 65%, var(--input-text)); }
.dpt-points-number { position: absolute; display: flex; align-items: center; gap: 2px;
  padding: 1px 5px; border-radius: 4px; background: #000c; color: #fff; font-size: 12px;
  transform: translateY(-50%); }
.dpt-points-number input { all: unset; width: 56px; text-align: right; color: #fff;
  border-bottom: 1px solid #fff8; user-select: text; appearance: textfield; }
.dpt-points-number input::-webkit-inner-spin-button { appearance: none; }
.dpt-points-number input::placeholder { color: #fffa; }
.dpt-points-keys { position: absolute; width: 1px; height: 1px; opacity: 0; border: 0; padding: 0;
  pointer-events: none; }
`;
