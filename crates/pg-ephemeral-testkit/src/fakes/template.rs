//! The subset of Go's templates that callers of an engine use in `--format`: `{{.Field}}`, `{{json .Field}}`,
//! `{{json .}}` and, for labels, `{{.Label "key"}}`.

use serde_json::Value;

/// Fills a template with the fields of a value. Returns `None` if the template has an unsupported expression.
pub(super) fn fill(template: &str, value: &Value, label: &dyn Fn(&str) -> String) -> Option<String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once("{{") {
        let (expression, behind) = split_expression(behind)?;
        text.push_str(before);
        text.push_str(&evaluate(expression.trim(), value, label)?);
        rest = behind;
    }
    text.push_str(rest);
    Some(text)
}

/// Splits a text at the end of an expression, which is the first `}}` outside quotes.
fn split_expression(text: &str) -> Option<(&str, &str)> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    for (offset, character) in text.char_indices() {
        match character {
            '\\' if is_quoted && !is_escaped => {
                is_escaped = true;
                continue;
            }
            '"' if !is_escaped => is_quoted = !is_quoted,
            '}' if !is_quoted && text[offset..].starts_with("}}") => {
                return Some((&text[..offset], &text[offset + 2..]));
            }
            _ => {}
        }
        is_escaped = false;
    }
    None
}

fn evaluate(expression: &str, value: &Value, label: &dyn Fn(&str) -> String) -> Option<String> {
    if let Some(argument) = expression.strip_prefix("json ") {
        let argument = argument.trim();
        let argument = argument.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).unwrap_or(argument);
        return Some(json(&operand(argument.trim(), value, label)?));
    }
    Some(match operand(expression, value, label)? {
        Value::String(text) => text,
        other => other.to_string(),
    })
}

fn operand(expression: &str, value: &Value, label: &dyn Fn(&str) -> String) -> Option<Value> {
    if let Some(key) = expression.strip_prefix(".Label ") {
        let key: String = serde_json::from_str(key.trim()).ok()?;
        return Some(Value::String(label(&key)));
    }
    let path = expression.strip_prefix('.')?;
    let mut value = value;
    for name in path.split('.').filter(|name| !name.is_empty()) {
        value = value.get(name)?;
    }
    Some(value.clone())
}

/// Formats JSON as Go does, with the characters `<`, `>` and `&` escaped.
pub(super) fn json(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill_in(template: &str) -> Option<String> {
        let value = serde_json::json!({"ID": "a<b", "State": {"Status": "running"}});
        fill(template, &value, &|key| format!("value of {key}"))
    }

    #[test]
    fn fields_and_labels_are_filled_in() {
        assert_eq!(fill_in("x {{.ID}} {{ json .State }}").unwrap(), "x a<b {\"Status\":\"running\"}");
        assert_eq!(fill_in("{{json .ID}}{{.State.Status}}").unwrap(), "\"a\\u003cb\"running");
        assert_eq!(fill_in(r#"[{{json (.Label "a}}b")}}]"#).unwrap(), r#"["value of a}}b"]"#);
    }

    #[test]
    fn unsupported_expressions_and_unknown_fields_give_none() {
        assert_eq!(fill_in("{{range .Ports}}"), None);
        assert_eq!(fill_in("{{.Nope}}"), None);
    }
}
