// Unpacks plotly.js, draws every picture in the colours of the page, and draws again when these change.
(async () => {
  "use strict";
  const figures = [...document.querySelectorAll("figure")].filter((f) => f.querySelector("script.figure"));
  if (!figures.length) return;

  async function unpack() {
    const packed = Uint8Array.from(atob(document.getElementById("plotly").textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
  }

  // "var(--ours)" -> the colour that it stands for now.
  function coloured(value, css) {
    if (typeof value === "string") return value.replace(/var\((--[\w-]+)\)/g, (_, name) => css.getPropertyValue(name).trim());
    if (Array.isArray(value)) return value.map((v) => coloured(v, css));
    if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, coloured(v, css)]));
    return value;
  }

  const axis = { gridcolor: "var(--grid)", linecolor: "var(--edge)", zeroline: false, automargin: true,
    title: { standoff: 8, font: { size: 13 } }, tickfont: { size: 12 } };
  const template = { layout: {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest",
    font: { color: "var(--ink)", size: 13, family: "system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif" },
    margin: { l: 48, r: 12, t: 12, b: 40 }, xaxis: axis, yaxis: axis,
    hoverlabel: { bgcolor: "var(--panel)", bordercolor: "var(--edge)", font: { color: "var(--ink)", size: 13 } },
    // On a touch screen a finger scrolls the page.
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
    legend: { orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom", font: { size: 12 } },
    coloraxis: { colorbar: { thickness: 10, outlinewidth: 0, tickfont: { size: 11 } } },
  } };
  const config = { displayModeBar: false };

  // Names of stretches of time run over their borders where these are narrow.
  const narrow = (plot) => plot.clientWidth < 500;

  function draw(figure) {
    const css = getComputedStyle(document.documentElement);
    const variants = JSON.parse(figure.querySelector("script.figure").textContent);
    const chosen = figure.querySelector("select");
    const { data, layout } = variants[chosen ? Number(chosen.value) : 0];
    const plot = figure.querySelector(".plot");
    if (narrow(plot)) layout.annotations = layout.annotations?.filter((a) => a.name !== "stretch");
    plot.dataset.narrow = narrow(plot);
    return window.Plotly.react(plot, coloured(data, css), coloured({ ...layout, template, autosize: true }, css), config);
  }
  const drawAll = () => Promise.all(figures.map(draw));

  try {
    await unpack();
    await drawAll();
  } catch (error) {
    for (const plot of document.querySelectorAll(".plot")) {
      plot.classList.add("failed");
      plot.textContent = `This picture needs a browser from 2023 or later (${error.message}). ${plot.getAttribute("aria-label")}`;
    }
    return;
  }
  for (const figure of figures) figure.querySelector("select")?.addEventListener("change", () => draw(figure));
  const watch = new ResizeObserver((seen) => seen.forEach(({ target }) => {
    if (String(narrow(target)) === target.dataset.narrow) window.Plotly.Plots.resize(target);
    else draw(target.closest("figure"));
  }));
  for (const figure of figures) watch.observe(figure.querySelector(".plot"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  const paper = (on) => { document.documentElement.classList.toggle("paper", on); drawAll(); };
  addEventListener("beforeprint", () => paper(true));
  addEventListener("afterprint", () => paper(false));
  document.documentElement.dataset.drawn = "yes";
})();
