use proptest::prelude::*;

use super::*;

fn names(text: &str) -> Vec<(String, usize)> {
    let found = images(text).expect(text);
    found
        .into_iter()
        .map(|found| (found.name.into_owned(), found.line))
        .collect()
}

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      initContainers:
        - {name: wait, image: busybox:1.36}
      containers:
        - name: web
          image: \"nginx:1.27\"   # the web
          env: [{name: image, value: not/this}]
        - name: side
          image: 'ghcr.io/a/side:v1'
      ephemeralContainers:
        - image: >-
            docker.io/library/
            debug
      volumes:
        - name: model
          image:
            reference: quay.io/models/small:v2
            pullPolicy: IfNotPresent
        - name: none
          emptyDir: {}
---
apiVersion: batch/v1
kind: CronJob
spec: {jobTemplate: {spec: {template: {spec: {containers: [{image: job}]}}}}}
...
---
";

#[test]
fn every_kind_of_container_is_found() {
    let expected = [
        ("busybox:1.36", 7),
        ("nginx:1.27", 10),
        ("ghcr.io/a/side:v1", 13),
        ("docker.io/library/ debug", 16),
        ("quay.io/models/small:v2", 21),
        ("job", 28),
    ];
    let expected = expected.map(|(name, line)| (name.to_owned(), line));
    assert_eq!(names(DEPLOYMENT), expected);
}

#[test]
fn containers_are_found_wherever_they_are() {
    let rows: [(&str, &[&str]); 14] = [
        ("", &[]),
        ("# nothing\n---\n---\n", &[]),
        ("just text", &[]),
        ("image: a", &[]),
        ("containers: {image: a}", &[]),
        (
            "containers: [a, [b], null, {image: [c]}, {image: {d: e}}]",
            &[],
        ),
        (
            "containers: [{image: null}, {image: ~}, {image: }, {image: ''}]",
            &[],
        ),
        (
            "containers: {type: array, items: {properties: {image: {type: string}}}}",
            &[],
        ),
        (
            "{\"kind\":\"List\",\"items\":[{\"spec\":{\"containers\":[{\"image\":\"a\"}]}},\n\t{\"spec\":{\"containers\":[{\"image\":\"b\"}]}}]}",
            &["a", "b"],
        ),
        (
            "kind: Rollout\nspec: {deep: [[[{template: {containers: [{image: a}]}}]]]}",
            &["a"],
        ),
        (
            "volumes: [{image: {reference: a}}, {image: b}, {reference: c}]",
            &["a"],
        ),
        (
            "? {containers: [{image: a}]}\n: {containers: [{image: b}]}",
            &["a", "b"],
        ),
        (
            "containers: [{image: !!str a}, {image: 1.20}]",
            &["a", "1.20"],
        ),
        (
            "containers:\r\n- image: a\r\n---\r\ncontainers:\r\n- image: b\r\n",
            &["a", "b"],
        ),
    ];
    for (text, expected) in rows {
        let found: Vec<_> = names(text).into_iter().map(|(name, _)| name).collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn aliases_and_merges_are_followed() {
    let rows: [(&str, &[&str]); 9] = [
        ("x: &i a\ncontainers: [{image: *i}]", &["a"]),
        ("x: &c [{image: a}]\ncontainers: *c", &["a"]),
        ("x: &c {image: a}\ncontainers: [*c, *c]", &["a", "a"]),
        ("x: &b {image: a}\ncontainers: [{<<: *b, name: n}]", &["a"]),
        (
            "x: &b {image: a}\ncontainers: [{<<: *b, image: own}]",
            &["own"],
        ),
        (
            "x: &b {name: n}\ny: &d {image: a}\ncontainers: [{<<: [*b, *d]}]",
            &["a"],
        ),
        (
            "x: &b {image: a}\ny: &d {<<: *b}\ncontainers: [{<<: [*d]}]",
            &["a"],
        ),
        ("pod: &p {containers: [{image: a}]}\nsame: {<<: *p}", &["a"]),
        (
            "volumes: [{image: &v {reference: a}}, {image: *v}]",
            &["a", "a"],
        ),
    ];
    for (text, expected) in rows {
        let found: Vec<_> = names(text).into_iter().map(|(name, _)| name).collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn what_is_no_yaml_has_a_line() {
    for (text, line) in [
        ("a: [1", 1),
        ("a: b\n c: d: e", 2),
        ("a: 1\nb: *nowhere", 2),
        ("a: 1\n\"open", 2),
        ("containers:\n- image: {{ .Values.image }}\n", 2),
    ] {
        let found = images(text);
        match found {
            Err(YamlError::Syntax { line: at, .. }) => assert!(at >= line, "{text}: {at}"),
            // Braces in braces are YAML, of a kind that names no image.
            Ok(found) => assert_eq!(found, [], "{text}"),
            Err(other) => panic!("{text}: {other}"),
        }
    }
}

/// Ten levels of ten aliases each would be ten thousand million containers.
#[test]
fn a_document_cannot_multiply_itself() {
    let mut bomb = "a0: &a0 {name: x}\n".to_owned();
    for level in 1..=10 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb += &format!("a{level}: &a{level} {{<<: [{below}]}}\n");
    }
    bomb += "containers: [*a10]\n";
    assert_eq!(images(&bomb), Err(YamlError::TooManyAliases));

    let mut square = format!("c: &c [{}]\nmany:\n", vec!["{image: a}"; 4000].join(", "));
    for _ in 0..4000 {
        square += "- containers: *c\n";
    }
    assert_eq!(images(&square), Err(YamlError::TooManyAliases));

    // It holds itself, and never comes to an image.
    for text in [
        "containers: [&a {<<: *a}]",
        "x: &a [*a]\ncontainers: *a",
        "containers: [&a {<<: [*a, *a]}]",
    ] {
        match images(text) {
            Ok(found) => assert_eq!(found, [], "{text}"),
            Err(error) => assert!(
                matches!(error, YamlError::TooManyAliases | YamlError::Syntax { .. }),
                "{text}: {error}"
            ),
        }
    }
}

#[test]
fn a_deep_document_is_no_deep_stack() {
    for text in ["[".repeat(1_000_000), "{a: ".repeat(100_000)] {
        images(&text).expect_err("it has no end");
    }
    assert_eq!(images(&"- ".repeat(10_000)), Ok(Vec::new()));
}

#[test]
fn a_document_is_bounded() {
    let large = format!("[{}]", "a,".repeat(MAX_NODES));
    assert_eq!(images(&large), Err(YamlError::TooLarge));
}

proptest! {
    #[test]
    fn garbage_never_panics(text in "[-:&*a<\\[\\]{}, \n\t\"'|>?!%#~]{0,60}|\\PC{0,80}") {
        let _ = images(&text);
    }

    #[test]
    fn a_damaged_manifest_never_panics(at in 0..DEPLOYMENT.len(), with in "[-:&*\\[\\]{}\"\n ]{0,3}") {
        let text = format!("{}{with}{}", &DEPLOYMENT[..at], &DEPLOYMENT[at..]);
        let _ = images(&text);
    }
}
