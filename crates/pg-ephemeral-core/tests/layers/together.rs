//! Several processes that start the same chain without layers at the same time.

use super::TestProject;

const PROCESSES: usize = 8;

pub(crate) async fn eight_processes_build_a_cold_chain_once_and_all_get_a_server(ground: TestProject) {
    let ground = TestProject::cold(ground.kind);
    let seeds: String = (1..=4)
        .map(|number| {
            let sql = if number == 1 { "create table t (id int)" } else { "insert into t values (1)" };
            format!("s{number} = {{ type = \"sql-statement\", statement = \"{sql}\" }}\n")
        })
        .collect();
    let processes: Vec<_> = (0..PROCESSES).map(|_| ground.helper("start", &seeds).spawn().unwrap()).collect();
    let (mut commits, mut initialises) = (Vec::new(), Vec::new());
    for process in processes {
        let output = process.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        let number = |name: &str| -> usize {
            let begin =
                text.find(&format!("{name}=")).unwrap_or_else(|| panic!("no {name} in {text}")) + name.len() + 1;
            text[begin..].chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
        };
        assert_eq!(number("value"), 3);
        commits.push(number("commits"));
        initialises.push(number("initialises"));
    }
    assert_eq!(commits.iter().sum::<usize>(), 5, "{commits:?}");
    assert_eq!(initialises.iter().sum::<usize>(), 1, "{initialises:?}");
    assert_eq!(ground.layers().len(), 5);
    ground.assert_nothing_runs();
}
