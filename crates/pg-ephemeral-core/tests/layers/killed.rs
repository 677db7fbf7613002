//! Processes that are killed while they build layers.

use std::time::{Duration, Instant};

use pg_ephemeral_core::Folders;
use pg_ephemeral_core::reap::{LateStarts, reap_recorded};

use super::{TestProject, assert_same, forms};

/// Returns the number of kills: the value of the variable `LAYERS_KILLS`, or `usual`.
fn times(usual: u32) -> u32 {
    std::env::var("LAYERS_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

pub(crate) async fn killed(kind: ociman::Kind, usual: u32) {
    let undisturbed = TestProject::cold(kind);
    let seeds = chain(&undisturbed);
    let begin = Instant::now();
    run_to_its_end(&undisturbed, &seeds);
    let whole = begin.elapsed();
    let expected = undisturbed.dump(&seeds).await;
    drop(undisturbed);
    let times = times(usual);
    let mut random = 0x9E37_79B9_7F4A_7C15_u64 ^ u64::from(std::process::id());
    let mut cut_short = 0;
    for round in 0..times {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // Spread the kills over the whole build, at random moments.
        let share = (f64::from(round) + (random % 1000) as f64 / 1000.0) / f64::from(times);
        let ground = TestProject::cold(kind);
        let seeds = chain(&ground);
        let mut victim = ground.helper("populate", &seeds).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(share).max(Duration::from_millis(1)));
        victim.kill().unwrap();
        cut_short += u32::from(!victim.wait().unwrap().success());
        ground.populate(&seeds).await;
        // The engine may still start a container for the killed process; only `gc` waits for that.
        let backend = ground.definition(&seeds).find_backend().await.unwrap();
        reap_recorded(&Folders::at(ground.state()), &backend, LateStarts::Settle).await;
        ground.assert_nothing_runs();
        let dumped = ground.dump(&seeds).await;
        assert!(ground.applied().is_empty(), "round {round}: {:?}", ground.steps());
        assert_same(&expected, &dumped);
        assert_eq!(ground.layers().len(), 7, "round {round}");
        ground.assert_nothing_runs();
    }
    // If the first run was slow, the measured time is too long and later kills may come after the end.
    assert!(cut_short * 4 >= times, "only {cut_short} of {times} were cut short");
}

/// Returns the seeds of the rental shop and a last seed with an UNLOGGED table, for which the server is stopped and
/// started again.
fn chain(ground: &TestProject) -> String {
    let unlogged = "unlogged = { type = \"sql-statement\", statement = \"create unlogged table u as select g from generate_series(1, 9) g\" }\n";
    forms::rental(ground, 1) + unlogged
}

fn run_to_its_end(ground: &TestProject, seeds: &str) {
    let output = ground.helper("populate", seeds).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
