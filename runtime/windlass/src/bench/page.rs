//! The report as one HTML page: no script, nothing from elsewhere.
use super::report::{Report, Series, number};
use std::fmt::Write;

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1c2733; --faint: #6b7785; --line: #d7dde3; --bar: #2f6fde; --back: #fff }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9ee; --faint: #93a0ad; --line: #33404d; --bar: #6ea2ff; --back: #12181f } }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back) }
h1 { font-size: 1.4rem } h2 { font-size: 1rem; margin: 2rem 0 .5rem }
table { border-collapse: collapse } td, th { padding: .15rem 1.2rem .15rem 0; text-align: left; border-bottom: 1px solid var(--line) }
td.n { text-align: right; font-variant-numeric: tabular-nums } .faint, text { color: var(--faint); fill: var(--faint); font-size: 12px }
svg { width: 100%; height: auto } rect { fill: var(--bar) } path.l { stroke: var(--bar); fill: none; stroke-width: 2 } path.a { stroke: var(--line); fill: none }
";

/// Width and height of a plot, and its margins to the left and below.
const SIZE: (f64, f64) = (900.0, 220.0);
const MARGIN: (f64, f64) = (60.0, 30.0);

/// The page.
pub(super) fn render(report: &Report, other: Option<&Report>) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>windlass bench</title><style>{STYLE}</style></head><body>\n\
         <h1>windlass bench</h1>\n<p class=\"faint\">{}</p>\n<table>",
        escaped(&report.began)
    );
    for (name, value) in &report.work {
        let _ = write!(page, "<tr><td>{}</td><td>{}</td></tr>", escaped(name), escaped(value));
    }
    let compared = if other.is_some() { "<th>before</th><th>ratio</th>" } else { "" };
    let _ = write!(page, "</table>\n<h2>Figures</h2>\n<table><tr><th></th><th></th><th></th>{compared}</tr>");
    for (figure, before) in report.against(other) {
        let _ = write!(
            page,
            "<tr><td>{}</td><td class=\"n\">{}</td><td>{}</td>",
            escaped(&figure.name),
            number(figure.value),
            escaped(&figure.unit)
        );
        if let Some((value, ratio)) = before {
            let ratio = if ratio.is_finite() { format!("{ratio:.2}") } else { "–".to_owned() };
            let _ = write!(page, "<td class=\"n\">{}</td><td class=\"n\">{ratio}</td>", number(value));
        }
        page.push_str("</tr>");
    }
    page.push_str("</table>\n");
    for series in &report.series {
        let _ = writeln!(page, "<h2>{}</h2>\n{}", escaped(&series.name), plot(series));
    }
    page.push_str("</body></html>\n");
    page
}

/// Bars, or a line where there are many points.
fn plot(series: &Series) -> String {
    let (width, height) = SIZE;
    let (left, below) = MARGIN;
    let most = |axis: usize| series.points.iter().filter_map(|point| point.get(axis)).copied().fold(0.0, f64::max);
    let (most_x, most_y) = (most(0).max(f64::MIN_POSITIVE), most(1).max(f64::MIN_POSITIVE));
    let x = |value: f64| left + value / most_x * (width - left - 10.0);
    let y = |value: f64| height - below - value / most_y * (height - below - 10.0);
    let mut drawn = String::new();
    if series.points.len() > 60 {
        drawn.push_str("<path class=\"l\" d=\"");
        for (at, [px, py]) in series.points.iter().enumerate() {
            let _ = write!(drawn, "{}{:.1} {:.1}", if at == 0 { "M" } else { "L" }, x(*px), y(*py));
        }
        drawn.push_str("\"/>");
    } else {
        let wide = ((width - left) / (series.points.len().max(1) as f64 * 1.3)).max(1.0);
        for [px, py] in &series.points {
            let (from, to) = (y(*py), y(0.0));
            let _ = write!(
                drawn,
                "<rect x=\"{:.1}\" y=\"{from:.1}\" width=\"{wide:.1}\" height=\"{:.1}\"/>",
                x(*px) - wide / 2.0,
                to - from
            );
        }
    }
    let [name_x, name_y] = &series.axes;
    format!(
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\"><path class=\"a\" d=\"M{left} 5V{bottom}H{width}\"/>{drawn}\
         <text x=\"0\" y=\"14\">{}</text><text x=\"0\" y=\"{bottom}\">0</text><text x=\"{right}\" y=\"{under}\" text-anchor=\"end\">{} {}</text>\
         <text x=\"{left}\" y=\"{under}\">{}</text></svg>",
        number(rounded(most_y)),
        number(rounded(most_x)),
        escaped(name_x),
        escaped(name_y),
        bottom = height - below,
        right = width - 10.0,
        under = height - 8.0,
    )
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_all_figures_and_a_plot_a_series_and_nothing_from_elsewhere() {
        let mut report = Report { began: "<now>".to_owned(), ..Report::default() };
        report.figure("reads, p99", 1.5, "ms");
        report.series("Few", ["ms", "reads"], vec![[1.0, 2.0], [2.0, 4.0]]);
        report.series("Many", ["s", "requests"], (0..100).map(|at| [f64::from(at), 1.0]).collect());
        report.series("None", ["s", "requests"], Vec::new());
        let page = render(&report, Some(&report.clone()));
        assert_eq!(page.matches("<svg").count(), 3);
        assert_eq!(page.matches("<rect").count(), 2);
        for words in ["reads, p99", "1.5", "1.00", "&lt;now&gt;", "<path class=\"l\""] {
            assert!(page.contains(words), "{words}");
        }
        assert!(!page.contains("http") && !page.contains("<script") && !page.contains("NaN") && !page.contains("inf"));
    }
}
