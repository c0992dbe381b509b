//! Names as people and programs write them: code pages of old archives, and letters made of one or two code points.

use std::borrow::Cow;

/// The name with letters and their accents put together (Unicode's normal form C), so that `é` is equal however a system wrote
/// it.
pub fn nfc(name: &str) -> Cow<'_, str> {
    if name.is_ascii() {
        return Cow::Borrowed(name);
    }
    Cow::Owned(normal(name))
}

#[cfg(not(target_arch = "wasm32"))]
fn normal(name: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    name.nfc().collect()
}

/// The browser has the tables.
#[cfg(target_arch = "wasm32")]
fn normal(name: &str) -> String {
    js_sys::JsString::from(name).normalize("NFC").into()
}

/// Text of a code page, by its name in the Encoding Standard; `None` where the bytes are not of it.
#[cfg(not(target_arch = "wasm32"))]
fn decode(label: &str, bytes: &[u8]) -> Option<String> {
    let encoding = encoding_rs::Encoding::for_label(label.as_bytes())?;
    encoding.decode_without_bom_handling_and_without_replacement(bytes).map(Cow::into_owned)
}

#[cfg(target_arch = "wasm32")]
fn decode(label: &str, bytes: &[u8]) -> Option<String> {
    use js_sys::{Array, Function, Object, Reflect, Uint8Array};
    use wasm_bindgen::JsCast;
    let options = Object::new();
    Reflect::set(&options, &"fatal".into(), &true.into()).ok()?;
    let class: Function = Reflect::get(&js_sys::global(), &"TextDecoder".into()).ok()?.dyn_into().ok()?;
    let decoder = Reflect::construct(&class, &Array::of2(&label.into(), &options)).ok()?;
    let decode: Function = Reflect::get(&decoder, &"decode".into()).ok()?.dyn_into().ok()?;
    decode.call1(&decoder, &Uint8Array::from(bytes)).ok()?.as_string()
}

/// Texts of one origin, in the code page that makes the most sense of all of them together: UTF-8 where they are, else one of
/// those that packers on Windows and DOS have written. `hint` is the person's language (`zh-CN`, `ja`).
///
/// No two different byte strings give the same text: the last resort, CP437, has a letter for each byte.
pub fn decode_all(names: &[&[u8]], hint: &str) -> Vec<String> {
    if let Some(all) = names.iter().map(|name| std::str::from_utf8(name).ok().map(str::to_owned)).collect::<Option<Vec<_>>>() {
        return all;
    }
    let mut best: Option<(f64, Vec<String>)> = None;
    for page in PAGES {
        let Some(texts) = names.iter().map(|name| decode(page.label, name)).collect::<Option<Vec<_>>>() else { continue };
        if !is_one_to_one(names, &texts) {
            continue;
        }
        let own = page.languages.iter().any(|language| hint.to_ascii_lowercase().starts_with(language));
        let score = score(&texts) + if own { 1.0 } else { 0.0 };
        if best.as_ref().is_none_or(|(most, _)| score > *most) {
            best = Some((score, texts));
        }
    }
    let dos: Vec<String> = names.iter().map(|name| name.iter().map(|byte| cp437(*byte)).collect()).collect();
    match best {
        Some((most, texts)) if most >= score(&dos) => texts,
        _ => dos,
    }
}

/// Whether different bytes stayed different.
fn is_one_to_one(names: &[&[u8]], texts: &[String]) -> bool {
    let bytes: std::collections::HashSet<&&[u8]> = names.iter().collect();
    let distinct: std::collections::HashSet<&String> = texts.iter().collect();
    bytes.len() == distinct.len()
}

struct Page {
    label: &'static str,
    /// Languages whose systems write it.
    languages: &'static [&'static str],
}

/// In the order of preference where the texts do not decide.
const PAGES: &[Page] = &[
    Page { label: "gb18030", languages: &["zh"] },
    Page { label: "shift_jis", languages: &["ja"] },
    Page { label: "euc-kr", languages: &["ko"] },
    Page { label: "big5", languages: &["zh-tw", "zh-hk", "zh-hant"] },
    Page { label: "ibm866", languages: &["ru", "uk", "be", "bg"] },
    Page { label: "windows-1251", languages: &["ru", "uk", "be", "bg"] },
];

/// Letters that are common in names, by code page: the commonest of Chinese and Korean texts and what people sort pictures by.
/// (Korean syllables read as Chinese give rare letters and the other way round.)
const COMMON_HANZI: &str = "的一是不了人我在有他这中大来上个国到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而能好都然没日于起还\
发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长知样现分将外但身些与高意进把法此实回二理美点月明其种声全工己话儿者向情部正名定\
女问力机给等几很业最间新什打便位因重被走电四第门相次东政海口使教西再平真听世气信北少关并内加化由却代军产入先山五太水万市眼体别处总才场师书比住员九笑\
性通目华报立马命张活难神数件安表原车白应路期叫死常提感金何更反合放做系计或司利受光王果亲界及今京务制解各任至清物台象记边共风战干接它许八特觉望直服毛林\
题建南度统色字请交爱让认算论百吃义科怎元社术结六功指思非流每青管夫连远资队跟带花快条院变联言权往展该领传近留红治决周保达办运武半候七必城父强步完革深区\
即求品士转量空甚众技轻程告江语英基派满式李息写呢识极令黄德收脸钱党倒未持取设始版双历越史商千片容研像找友孩站广改议形委早房音火际则首单据导影失拿网香似\
猫狗鸟马牛羊猪鱼鸡鸭兔虎龙蛇熊苹果香蕉梨桃橙葡萄西瓜菜树叶草花玫瑰杯瓶盒碗刀汽车船飞机自行圆方角形红绿蓝黑白类图片训练测试验证集正常坏品照";
const COMMON_HANGUL: &str = "이다는의에을하고가를은로한기지사도자리나인대시어해일아정수그라서전주보여만스제부장조성비상과구게원동들면공있적트신으니우세모안연방유화선경레호\
것국생물오터마문인중내미용말바람개새닭소고양강아지말꽃나무사과배차컵병물고기학교사진";

/// How much the texts look like names that a person gave: the mean over their letters beyond ASCII.
fn score(texts: &[String]) -> f64 {
    let (mut sum, mut count) = (0.0, 0_u32);
    for letter in texts.iter().flat_map(|text| text.chars()).filter(|letter| !letter.is_ascii()) {
        count += 1;
        sum += match letter {
            // Controls, private use and replacement are in no name.
            '\u{80}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fffd}' => -5.0,
            // Hiragana and katakana are written by Japanese alone; half-width ones are what other code pages look like.
            '\u{3041}'..='\u{30fe}' => 3.0,
            '\u{ff61}'..='\u{ff9f}' => -1.0,
            letter if COMMON_HANZI.contains(letter) => 3.0,
            letter if COMMON_HANGUL.contains(letter) => 3.0,
            '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' => 1.0,
            // Russian small letters; capitals in the middle of a word come of the wrong one of two code pages.
            '\u{430}'..='\u{44f}' | 'ё' => 2.2,
            '\u{410}'..='\u{42f}' => 1.2,
            'À'..='ÿ' if letter.is_lowercase() => 2.0,
            letter if letter.is_alphabetic() => 0.5,
            _ => -1.5,
        };
    }
    sum / f64::from(count.max(1))
}

/// IBM's first code page, which ZIP names are in by its specification.
fn cp437(byte: u8) -> char {
    const UPPER: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";
    match byte {
        0..0x80 => char::from(byte),
        // There are 128 of them.
        _ => UPPER.chars().nth(usize::from(byte) - 0x80).unwrap_or('\u{fffd}'),
    }
}

/// A name from a file as errors show it: at most 100 characters, control characters escaped.
pub(crate) fn shown(name: &str) -> String {
    let mut text: String =
        name.chars().take(100).flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect();
    if name.chars().nth(100).is_some() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(label: &str, names: &[&str], hint: &str) -> Vec<String> {
        let encoding = encoding_rs::Encoding::for_label(label.as_bytes()).unwrap();
        let bytes: Vec<Vec<u8>> = names.iter().map(|name| encoding.encode(name).0.into_owned()).collect();
        decode_all(&bytes.iter().map(Vec::as_slice).collect::<Vec<_>>(), hint)
    }

    #[test]
    fn names_of_old_archives_are_read_in_their_code_page() {
        let cases: &[(&str, &[&str])] = &[
            ("gbk", &["狗/0.png", "鸟/1.png", "马/2.png", "猫/3.png"]),
            ("gbk", &["苹果/照片.jpg", "香蕉/照片.jpg"]),
            ("shift_jis", &["いぬ/1.jpg", "ねこ/2.jpg"]),
            ("shift_jis", &["リンゴ/画像.jpg", "バナナ/画像.jpg"]),
            ("euc-kr", &["고양이/1.jpg", "강아지/2.jpg"]),
            ("ibm866", &["кошка/1.jpg", "собака/2.jpg"]),
            ("windows-1251", &["кошка/1.jpg", "собака/2.jpg"]),
            ("utf-8", &["Käse/1.jpg", "猫/2.jpg"]),
        ];
        for (label, names) in cases {
            assert_eq!(read(label, names, ""), *names, "{label}");
        }
        assert_eq!(read("big5", &["貓/1.jpg", "狗/2.jpg"], "zh-TW"), ["貓/1.jpg", "狗/2.jpg"]);
    }

    #[test]
    fn dos_names_and_rubbish_stay_apart() {
        assert_eq!(decode_all(&[b"K\x84se", b"caf\x82"], ""), ["Käse", "café"]);
        let all: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte, 0xff]).collect();
        let texts = decode_all(&all.iter().map(Vec::as_slice).collect::<Vec<_>>(), "");
        assert_eq!(texts.iter().collect::<std::collections::HashSet<_>>().len(), 256);
    }

    #[test]
    fn accents_are_put_together() {
        assert_eq!(nfc("cafe\u{301}"), "caf\u{e9}");
        assert_eq!(nfc("plain"), "plain");
    }
}
