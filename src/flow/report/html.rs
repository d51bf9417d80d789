//! The report as one page.
use super::{Plot, Report};
use crate::flow::Severity;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:1000px;margin:2em auto;padding:0 1em;background:#fff;color:#1f2328}\
pre{font:13px/1.4 ui-monospace,monospace;overflow-x:auto;padding:.8em;border-left:4px solid #e1e6eb}\
pre.bad{border-color:#cf222e}pre.good{border-color:#1a7f37}pre.mid{border-color:#bc4c00}\
svg{max-width:100%;height:auto;margin:1em 0;display:block}\
@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}pre{border-color:#262c34}}";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

pub(super) fn page(report: &Report) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Gradient flow</title><style>{STYLE}</style></head><body>\n<h1>Gradient flow</h1>\n"
    );
    for verdict in &report.verdicts {
        let class = match verdict.severity {
            Severity::Good | Severity::Note => "good",
            Severity::Notice | Severity::Warn => "mid",
            _ => "bad",
        };
        page += &format!("<pre class=\"{class}\">{}</pre>\n", escaped(&verdict.to_string()));
    }
    // The pictures show what the sparklines do.
    let bare = Report { verdicts: vec![], ..report.clone() };
    page += &format!("<h2>Layers</h2>\n<pre>{}</pre>\n", escaped(&format!("{bare:#}")));
    for plot in Plot::ALL {
        if let Some(figure) = report.figure(plot) {
            page += &figure.svg();
            page.push('\n');
        }
    }
    if !report.past.is_empty() {
        page += "<h2>Verdicts that were taken back</h2>\n";
        for verdict in report.past.iter().take(20) {
            page += &format!("<pre>{}</pre>\n", escaped(&verdict.to_string()));
        }
    }
    page + "</body></html>\n"
}
