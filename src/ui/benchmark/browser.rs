//! The browser's name from what it says of itself.

/// Browsers by the mark they leave, the more special first: every one of them also says it is its elders.
const BROWSERS: &[(&str, &str)] = &[
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("HeadlessChrome/", "Chrome, headless"),
    ("Chrome/", "Chrome"),
    ("Version/", "Safari"),
];

/// Systems by their mark, the more special first.
const SYSTEMS: &[(&str, &str)] = &[
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
];

/// `Firefox 147 on Linux`, from `navigator.userAgent`.
pub fn name(user_agent: &str) -> String {
    let browser = BROWSERS.iter().find_map(|(mark, name)| {
        let (_, version) = user_agent.split_once(mark)?;
        let end = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
        Some(format!("{name} {}", &version[..end]))
    });
    let system = SYSTEMS.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser,
        (None, _) => user_agent.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn every_browser_says_it_is_many() {
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        let cases = [
            (format!("Mozilla/5.0 (X11; Linux x86_64) {webkit} Chrome/143.0.0.0 Safari/537.36"), "Chrome 143 on Linux"),
            (format!("Mozilla/5.0 (Windows NT 10.0) {webkit} Chrome/143.0.0.0 Safari/537.36 Edg/143.0.0.0"), "Edge 143 on Windows"),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:147.0) Gecko/20100101 Firefox/147.0".into(), "Firefox 147 on Linux"),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) AppleWebKit/605.1.15 Version/26.0 Mobile/15E148 Safari/604.1"
                    .into(),
                "Safari 26 on iOS",
            ),
            (format!("Mozilla/5.0 (Linux; Android 16) {webkit} Chrome/143.0.0.0 Mobile Safari/537.36"), "Chrome 143 on Android"),
            ("something else".into(), "something else"),
        ];
        for (user_agent, expected) in cases {
            assert_eq!(name(&user_agent), expected);
        }
    }
}
