//! `ecs.config`, as ecs-init reads it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use ecs_registry_auth::Origin;
use zeroize::Zeroizing;

use crate::Finding;
use crate::names;

/// A parsed `ecs.config`.
///
/// Lines are `NAME=value`: no quotes, no escapes, no `export`, no interpolation. Lines without `=` are skipped, the
/// last of several equal names wins.
/// Rule: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-config.html>.
pub(crate) struct EnvFile {
    path: Arc<PathBuf>,
    lines: Vec<Line>,
}

struct Line {
    number: u32,
    name: String,
    /// `None`: not UTF-8.
    value: Option<Zeroizing<String>>,
}

impl EnvFile {
    pub(crate) fn parse(path: PathBuf, content: &[u8]) -> Self {
        let content = content
            .strip_prefix(BYTE_ORDER_MARK)
            .unwrap_or(content)
            // Numbers count from the file's first line, which is also the first of the trimmed text only if no empty
            // lines come before it; so lines are trimmed one by one and the whole is not.
            .split(|byte| *byte == b'\n');
        let lines = (1_u32..)
            .zip(content)
            .filter_map(|(number, line)| Line::parse(number, line))
            .collect();
        Self {
            path: Arc::new(path),
            lines,
        }
    }

    /// The last line that sets `name`.
    pub(crate) fn get(&self, name: &str) -> Option<(Result<&str, Finding>, Origin)> {
        let line = self.lines.iter().rfind(|line| line.name == name)?;
        let origin = self.origin(line);
        let value = line.value.as_ref().map(|value| value.as_str()).ok_or_else(|| {
            Finding::error(origin.clone(), format!("the value of {name} is not UTF-8"))
                .with_next_step("save the file in UTF-8")
        });
        Some((value, origin))
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = (&str, Origin)> {
        self.lines
            .iter()
            .map(|line| (line.name.as_str(), self.origin(line)))
    }

    fn origin(&self, line: &Line) -> Origin {
        Origin::File {
            path: Arc::clone(&self.path),
            line: Some(line.number),
        }
    }

    /// What surely is a mistake.
    pub(crate) fn findings(&self, content: &[u8]) -> Vec<Finding> {
        let mut findings = Vec::new();
        let warn = |origin: Origin, text: String, next_step: &str| {
            Finding::warning(origin, text).with_next_step(next_step)
        };
        let file = Origin::file(self.path.as_path());
        if content.starts_with(BYTE_ORDER_MARK) {
            findings.push(warn(
                file.clone(),
                "it starts with a byte order mark, which the ECS agent takes for a part of the first name"
                    .to_owned(),
                "save it as UTF-8 without a byte order mark",
            ));
        }
        if content.windows(2).any(|pair| pair == b"\r\n") {
            findings.push(warn(
                file,
                "its lines end in CRLF; they are trimmed here, other readers of the file may not".to_owned(),
                "save it with LF line ends",
            ));
        }
        for (line, first) in self.effective() {
            let origin = self.origin(line);
            let bare = line.name.strip_prefix("export").map_or_else(
                || line.name.trim(),
                |rest| {
                    if rest.starts_with(char::is_whitespace) {
                        rest.trim()
                    } else {
                        line.name.trim()
                    }
                },
            );
            if !names::is_known(bare) {
                continue;
            }
            if bare.len() < line.name.trim().len() {
                findings.push(warn(
                    origin.clone(),
                    format!("`export` makes this another name: {bare} is not set"),
                    "remove the word `export`",
                ));
            } else if bare.len() < line.name.len() {
                findings.push(warn(
                    origin.clone(),
                    format!("the space before `=` belongs to the name: {bare} is not set"),
                    "remove the spaces round `=`",
                ));
            }
            let value = line.value.as_ref().map_or("", |value| value.as_str());
            if value.starts_with(char::is_whitespace) {
                findings.push(warn(
                    origin.clone(),
                    format!("the space after `=` belongs to the value of {bare}"),
                    "remove the spaces round `=`",
                ));
            }
            if is_quoted(value) {
                findings.push(warn(
                    origin.clone(),
                    format!("the quotes belong to the value of {bare}: they are not stripped"),
                    "remove the quotes round the value",
                ));
            }
            if first.number != line.number {
                findings.push(warn(
                    origin,
                    format!("{bare} is set in line {} too, the last one wins", first.number),
                    "remove one of the lines",
                ));
            }
        }
        findings
    }

    /// The line of each name that counts, and the first with that name, in the order of the file.
    fn effective(&self) -> impl Iterator<Item = (&Line, &Line)> {
        let mut first: HashMap<&str, &Line> = HashMap::new();
        let mut last: HashMap<&str, &Line> = HashMap::new();
        for line in &self.lines {
            first.entry(&line.name).or_insert(line);
            last.insert(&line.name, line);
        }
        self.lines.iter().filter_map(move |line| {
            let counts = last.get(line.name.as_str())?.number == line.number;
            Some((line, *first.get(line.name.as_str())?)).filter(|_| counts)
        })
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl Line {
    fn parse(number: u32, line: &[u8]) -> Option<Self> {
        match std::str::from_utf8(line) {
            Ok(text) => {
                let (name, value) = text.trim().split_once('=')?;
                Some(Self {
                    number,
                    name: name.to_owned(),
                    value: Some(Zeroizing::new(value.to_owned())),
                })
            }
            Err(_) => {
                let end = line.iter().position(|byte| *byte == b'=')?;
                Some(Self {
                    number,
                    name: String::from_utf8_lossy(&line[..end]).trim_start().to_owned(),
                    value: None,
                })
            }
        }
    }
}

fn is_quoted(value: &str) -> bool {
    let value = value.trim();
    value.len() >= 2
        && ['"', '\'']
            .into_iter()
            .any(|quote| value.starts_with(quote) && value.ends_with(quote))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(content: &[u8]) -> EnvFile {
        EnvFile::parse(PathBuf::from("ecs.config"), content)
    }

    fn value(content: &[u8], name: &str) -> Option<(String, String)> {
        parse(content)
            .get(name)
            .map(|(value, origin)| (value.unwrap().to_owned(), origin.to_string()))
    }

    #[test]
    fn values_are_those_of_ecs_init() {
        for (content, expected) in [
            (&b"A=1"[..], Some("1")),
            (b"  A=1  ", Some("1")),
            (b"A=1\r\nB=2\r\n", Some("1")),
            (b"\xef\xbb\xbfA=1", Some("1")),
            (b"A=\"1\"", Some("\"1\"")),
            (b"A=$B#c", Some("$B#c")),
            (b"A=b=c", Some("b=c")),
            (b"A=", Some("")),
            (b"A= 1", Some(" 1")),
            (b"A=1\nA=2", Some("2")),
            (b"A =1", None),
            (b"export A=1", None),
            (b"#A=1", None),
            (b"A", None),
            (b"", None),
        ] {
            let found = value(content, "A").map(|(value, _)| value);
            assert_eq!(found.as_deref(), expected, "{}", String::from_utf8_lossy(content));
        }
    }

    #[test]
    fn origins_count_lines_of_the_file() {
        assert_eq!(value(b"\n\n# comment\nA=1\n", "A").unwrap().1, "ecs.config:4");
    }

    #[test]
    fn a_line_that_is_not_utf8_spoils_itself_alone() {
        let file = parse(b"A=\xff\nB=2");
        let (value, origin) = file.get("A").unwrap();
        assert_eq!(
            value.unwrap_err().to_string(),
            "ecs.config:1: the value of A is not UTF-8"
        );
        assert_eq!(origin.to_string(), "ecs.config:1");
        assert_eq!(file.get("B").unwrap().0.unwrap(), "2");
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (content, expected) in [
            (
                &b"export AWS_REGION=a"[..],
                "ecs.config:1: `export` makes this another name",
            ),
            (b"\nAWS_REGION =a", "ecs.config:2: the space before `=`"),
            (b"AWS_REGION= a", "ecs.config:1: the space after `=`"),
            (
                b"AWS_REGION='a'",
                "ecs.config:1: the quotes belong to the value of AWS_REGION",
            ),
            (
                b"AWS_REGION=a\nAWS_REGION=b",
                "ecs.config:2: AWS_REGION is set in line 1 too",
            ),
            (b"AWS_REGION=a\r\n", "ecs.config: its lines end in CRLF"),
            (
                b"\xef\xbb\xbfAWS_REGION=a",
                "ecs.config: it starts with a byte order mark",
            ),
        ] {
            let findings = parse(content).findings(content);
            assert_eq!(findings.len(), 1, "{expected}: {findings:?}");
            assert!(findings[0].to_string().starts_with(expected), "{}", findings[0]);
        }
    }

    #[test]
    fn lines_that_concern_others_are_left_alone() {
        let content = b"OTHER = 'x'\nexport OTHER=y\nexportAWS_REGION=z\n";
        assert_eq!(parse(content).findings(content), []);
    }

    proptest::proptest! {
        #[test]
        fn no_content_panics(content in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let file = parse(&content);
            let _ = file.findings(&content);
            for (name, _) in file.names() {
                proptest::prop_assert!(file.get(name).is_some());
            }
        }
    }
}
