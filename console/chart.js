/** Bars per day, stacked by outcome. Of Chart.js only what these need is registered, so only that is bundled. */

import { BarController, BarElement, CategoryScale, Chart, Legend, LinearScale, Tooltip } from "chart.js";

Chart.register(BarController, BarElement, CategoryScale, Legend, LinearScale, Tooltip);

/** Colours that differ in both schemes, also for people who cannot distinguish red from green. */
const COLOURS = {
  light: { minted: "#6639ba", forwarded: "#0969da", cached: "#1b7c83", refused: "#bc4c00", failed: "#82071e" },
  dark: { minted: "#bc8cff", forwarded: "#58a6ff", cached: "#56d4dd", refused: "#f0883e", failed: "#ff7b72" },
};

const isDark = matchMedia("(prefers-color-scheme: dark)");
let chart, draw;

/** Draws these days into the canvas; `counts` has an array of the same length for each outcome. */
export const drawBars = (canvas, days, counts) => {
  draw = () => {
    chart?.destroy();
    const colours = COLOURS[isDark.matches ? "dark" : "light"];
    const style = getComputedStyle(document.documentElement);
    const [color, line] = ["--text", "--line"].map((name) => style.getPropertyValue(name));
    const grid = { color: `${line}55` };
    const datasets = Object.entries(counts).map(([label, data]) => ({ label, data, backgroundColor: colours[label] }));
    chart = new Chart(canvas, {
      type: "bar",
      data: { labels: days, datasets },
      options: {
        animation: false,
        maintainAspectRatio: false,
        scales: {
          x: { stacked: true, ticks: { color, maxRotation: 0, autoSkipPadding: 12 }, grid: { display: false } },
          y: { stacked: true, beginAtZero: true, ticks: { color, precision: 0 }, grid },
        },
        plugins: { legend: { labels: { color }, onClick: () => {} } },
      },
    });
  };
  draw();
};

/** Removes the chart; what it drew is forgotten. */
export const clearBars = () => {
  chart?.destroy();
  chart = draw = undefined;
};

isDark.addEventListener("change", () => draw?.());
