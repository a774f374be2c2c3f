//! Amazon Resource Names.

use std::fmt;

use crate::Partition;

/// An ARN in its six parts: `arn:partition:service:region:account:resource`.
///
/// Region and account may be empty, as they are in the ARNs of IAM and S3.
///
/// Rule: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>.
///
/// ```
/// use ecs_secret_resolver::{Arn, Partition};
///
/// let role = Arn::parse("arn:aws:iam::111111111111:role/ecsTaskExecutionRole")?;
/// assert_eq!(role.partition(), Partition::Aws);
/// assert_eq!(role.account(), "111111111111");
/// assert_eq!(role.resource(), "role/ecsTaskExecutionRole");
/// assert!(Arn::parse("ecsTaskExecutionRole").is_err());
/// # Ok::<(), ecs_secret_resolver::ArnError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Arn {
    text: Box<str>,
    partition: Partition,
    /// Where service, region, account and resource start in `text`.
    starts: [usize; 4],
}

impl Arn {
    /// Parses an ARN.
    ///
    /// # Errors
    ///
    /// [`ArnError`] when a part is missing, the partition is not known, or the account is not twelve digits.
    pub fn parse(text: &str) -> Result<Self, ArnError> {
        let mut starts = [0; 4];
        let mut parts = [""; 6];
        let mut position = 0;
        let mut split = text.splitn(6, ':');
        for (index, part) in parts.iter_mut().enumerate() {
            *part = split.next().ok_or_else(|| ArnError::Form(shown(text)))?;
            if index >= 2 {
                starts[index - 2] = position;
            }
            position += part.len() + 1;
        }
        let [prefix, partition, service, region, account, resource] = parts;
        if prefix != "arn" || service.is_empty() || resource.is_empty() {
            return Err(ArnError::Form(shown(text)));
        }
        if !(account.is_empty() || account == "aws" || is_account(account)) {
            return Err(ArnError::Account(shown(text)));
        }
        let region_is_well_formed = region
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !region_is_well_formed {
            return Err(ArnError::Region(shown(text)));
        }
        let partition = Partition::from_id(partition).ok_or_else(|| ArnError::Partition(shown(text)))?;
        Ok(Self {
            text: text.into(),
            partition,
            starts,
        })
    }

    /// The copy of AWS it belongs to.
    #[must_use]
    pub fn partition(&self) -> Partition {
        self.partition
    }

    /// The service, for example `secretsmanager`.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.text[self.starts[0]..self.starts[1] - 1]
    }

    /// The region; empty for global resources.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.text[self.starts[1]..self.starts[2] - 1]
    }

    /// The twelve digits of the account; empty where the service leaves them out.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.text[self.starts[2]..self.starts[3] - 1]
    }

    /// Everything after the account.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.text[self.starts[3]..]
    }

    /// The whole ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// A text that is not an ARN. Each error has the text in quotes, or its form where it may be something secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArnError {
    /// It has not the six parts.
    #[error("{0} is not an ARN (arn:partition:service:region:account:resource)")]
    Form(String),
    /// No AWS partition has that name.
    #[error("{0} names an unknown partition; aws, aws-cn and aws-us-gov are usual")]
    Partition(String),
    /// The account is not twelve digits.
    #[error("{0}: the account is not twelve digits")]
    Account(String),
    /// The region has characters that no region has.
    #[error("{0}: the region is not one")]
    Region(String),
    /// It is an ARN, but of another kind than is needed here.
    #[error("{found} is not the ARN of {wanted}")]
    Kind {
        /// What was given.
        found: String,
        /// What is needed, with its form.
        wanted: &'static str,
    },
}

/// Whether this is an account id: twelve digits.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A text as messages show it: in quotes where it can be a name or an ARN, and else by its form alone, because somebody
/// may have put a credential or a whole document in its place.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 200;
    let is_name = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/_+=.@-:,".contains(&byte));
    if is_name && text.len() <= LONGEST {
        return format!("{text:?}");
    }
    let form = if text.trim_start().starts_with(['{', '[', '"']) {
        " (beginning as JSON does)"
    } else if is_name {
        ""
    } else {
        " (not all of which can be in a name or an ARN)"
    };
    format!("a text of {} characters{form}", text.chars().count())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_are_split_at_the_first_five_colons() {
        let arn =
            Arn::parse("arn:aws-cn:secretsmanager:cn-north-1:222222222222:secret:a-AbCdEf:key::").unwrap();
        assert_eq!(arn.partition(), Partition::China);
        assert_eq!(arn.service(), "secretsmanager");
        assert_eq!(arn.region(), "cn-north-1");
        assert_eq!(arn.account(), "222222222222");
        assert_eq!(arn.resource(), "secret:a-AbCdEf:key::");
    }

    #[test]
    fn what_is_no_arn_says_why() {
        for (text, part) in [
            ("", "is not an ARN"),
            ("arn:aws:iam::111111111111", "is not an ARN"),
            ("arn:aws:::111111111111:x", "is not an ARN"),
            ("arn:aws:iam::111111111111:", "is not an ARN"),
            ("ARN:aws:iam::111111111111:role/x", "is not an ARN"),
            ("arn:amazon:iam::111111111111:role/x", "unknown partition"),
            ("arn:aws:iam::1111:role/x", "twelve digits"),
            ("arn:aws:iam:EU:111111111111:role/x", "region is not one"),
        ] {
            let error = Arn::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn what_may_be_a_secret_is_told_by_its_form() {
        for (text, expected) in [
            ("", r#""""#),
            (
                "arn:aws:iam::111111111111:role/a+b=c,d.e@f-g_h",
                r#""arn:aws:iam::111111111111:role/a+b=c,d.e@f-g_h""#,
            ),
            (
                r#" {"username":"alice"}"#,
                "a text of 21 characters (beginning as JSON does)",
            ),
            (
                "correct horse",
                "a text of 13 characters (not all of which can be in a name or an ARN)",
            ),
            (
                "hunter2\u{e9}",
                "a text of 8 characters (not all of which can be in a name or an ARN)",
            ),
            (&"a".repeat(201), "a text of 201 characters"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,200}") {
            let _ = Arn::parse(&text);
        }

        #[test]
        fn an_arn_is_the_sum_of_its_parts(
            service in "[a-z]{1,9}", region in "[a-z0-9-]{0,14}", account in "([0-9]{12})?", resource in ".{1,60}"
        ) {
            let text = format!("arn:aws:{service}:{region}:{account}:{resource}");
            let arn = Arn::parse(&text).unwrap();
            prop_assert_eq!(arn.service(), service);
            prop_assert_eq!(arn.region(), region);
            prop_assert_eq!(arn.account(), account);
            prop_assert_eq!(arn.resource(), resource);
            prop_assert_eq!(arn.as_str(), text);
        }
    }
}
