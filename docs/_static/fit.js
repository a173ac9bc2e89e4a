// On narrow pages, what code prints is made as small as its longest line needs, and no smaller.
function fit() {
  for (const pre of document.querySelectorAll(
    ".bd-article .highlight-text pre, .bd-article .sphx-glr-script-out .highlight pre",
  )) {
    pre.style.fontSize = "";
    if (window.innerWidth > 600) continue;
    for (let size = 0.8; size >= 0.4; size -= 0.05) {
      pre.style.fontSize = `${size}rem`;
      if (pre.scrollWidth <= pre.clientWidth) break;
    }
  }
}

window.addEventListener("load", fit);
window.addEventListener("resize", fit);
