//! Fuzz target: whatever is ordered, the answer is an order that can be carried
//! out, or a sentence.

use super::check;
use crate::framework::Framework;
use crate::order::Order;

const TARGETS: [&str; 4] = ["ml_c5", "coreml", "jetson_nano", "rasp3b"];

#[test]
fn any_order() {
    bolero::check!()
        .with_type::<(u8, u8, Option<String>, Option<String>, Option<String>)>()
        .for_each(|(framework, target, version, inputs, options)| {
            let framework = Framework::ALL[usize::from(*framework) % Framework::ALL.len()];
            let order = Order {
                framework: framework.name().to_owned(),
                framework_version: version.clone(),
                data_input_config: inputs.clone(),
                target_device: Some(TARGETS[usize::from(*target) % TARGETS.len()].to_owned()),
                compiler_options: options.clone(),
                ..Order::default()
            };
            if let Err(error) = check(&order) {
                assert!(!error.to_string().is_empty());
            }
        });
}
