//! Names of signals, as engines and configurations write them.

use rustix::process::Signal;

use crate::error::HostError;

/// Parses the name of a signal, such as `SIGINT`, `INT` (in any letter case) or `2`.
///
/// # Errors
/// Returns [`HostError::UnknownSignal`] if there is no such signal.
pub fn parse(text: &str) -> Result<Signal, HostError> {
    let upper = text.trim().to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let signal = match name {
        "HUP" => Signal::HUP,
        "INT" => Signal::INT,
        "QUIT" => Signal::QUIT,
        "ABRT" => Signal::ABORT,
        "KILL" => Signal::KILL,
        "USR1" => Signal::USR1,
        "USR2" => Signal::USR2,
        "PIPE" => Signal::PIPE,
        "ALRM" => Signal::ALARM,
        "TERM" => Signal::TERM,
        "CONT" => Signal::CONT,
        "STOP" => Signal::STOP,
        "WINCH" => Signal::WINCH,
        number => number
            .parse()
            .ok()
            .and_then(Signal::from_named_raw)
            .ok_or_else(|| HostError::UnknownSignal { text: text.to_owned() })?,
    };
    Ok(signal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_read_with_and_without_prefix_and_by_number() {
        for text in ["SIGINT", "int", "2"] {
            assert_eq!(parse(text).unwrap(), Signal::INT, "{text}");
        }
    }

    #[test]
    fn an_unknown_signal_is_an_error_that_names_it() {
        assert_eq!(parse("SIGNOPE").unwrap_err().to_string(), "\"SIGNOPE\" is not a signal");
    }
}
