-- Finding orders: by name in any spelling, e-mail or a part of it, number, payment. No extension, and no dictionary
-- that depends on how the server was set up: what a word is stands here.

-- As a search compares: without marks (č, ö, й), case and strokes (ł, ø, đ). Spelled out, because lower() knows the
-- letters of one locale, and in “C” only those of ASCII. The last lines: every other capital of the Latin, Cyrillic,
-- Armenian and Georgian scripts that does not come apart, as Unicode 14 pairs them.
CREATE FUNCTION search_fold(said text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT replace(replace(replace(replace(translate(
        lower(regexp_replace(normalize(said, NFKD), '[\u0300-\u036F]', '', 'g') COLLATE "C"),
        'ŁłØøĐđÐðıŦŧĦħÞÆŒẞ'
        'ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩς'
        'АБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯЄІҐЂЈЉЊЋЏЅ'
        'ŊƁƂƄƆƇƉƊƋƎƏƐƑƓƔƖƗƘƜƝƟƢƤƦƧƩƬƮƱƲƳƵƷƸƼǤǶǷȜȠȢȤȺȻȽȾɁɃɄɅɆɈɊɌɎѠѢѤѦѨѪѬѮѰѲѴѸѺѼѾҀҊҌҎҒҔҖҘҚҜҞҠҢҤҦҨҪҬҮҰҲҴҶҸҺҼҾӀӃӅ'
        'ӇӉӋӍӔӘӠӨӶӺӼӾԀԂԄԆԈԊԌԎԐԒԔԖԘԚԜԞԠԢԤԦԨԪԬԮԱԲԳԴԵԶԷԸԹԺԻԼԽԾԿՀՁՂՃՄՅՆՇՈՉՊՋՌՍՎՏՐՑՒՓՔՕՖႠႡႢႣႤႥႦႧႨႩႪႫႬႭႮႯႰႱႲႳႴႵႶႷႸႹ'
        'ႺႻႼႽႾႿჀჁჂჃჄჅჇჍᲐᲑᲒᲓᲔᲕᲖᲗᲘᲙᲚᲛᲜᲝᲞᲟᲠᲡᲢᲣᲤᲥᲦᲧᲨᲩᲪᲫᲬᲭᲮᲯᲰᲱᲲᲳᲴᲵᲶᲷᲸᲹᲺᲽᲾᲿỺỼỾⱠⱢⱣⱤⱧⱩⱫⱭⱮⱯⱰⱲⱵⱾⱿꙀꙂꙄꙆꙈꙊꙌꙎꙐꙒꙔꙖꙘꙚꙜꙞꙠꙢꙤꙦꙨꙪ'
        'ꙬꚀꚂꚄꚆꚈꚊꚌꚎꚐꚒꚔꚖꚘꚚꜢꜤꜦꜨꜪꜬꜮꜲꜴꜶꜸꜺꜼꜾꝀꝂꝄꝆꝈꝊꝌꝎꝐꝒꝔꝖꝘꝚꝜꝞꝠꝢꝤꝦꝨꝪꝬꝮꝹꝻꝽꝾꞀꞂꞄꞆꞋꞍꞐꞒꞖꞘꞚꞜꞞꞠꞢꞤꞦꞨꞪꞫꞬꞭꞮꞰꞱꞲꞳꞴꞶꞸꞺꞼꞾꟀꟂꟄꟅꟆꟇꟉꟐꟖꟘ'
        'Ꟶ',
        'lloodddditthhþæœß'
        'αβγδεζηθικλμνξοπρστυφχψωσ'
        'абвгдежзиклмнопрстуфхцчшщъыьэюяєіґђјљњћџѕ'
        'ŋɓƃƅɔƈɖɗƌǝəɛƒɠɣɩɨƙɯɲɵƣƥʀƨʃƭʈʊʋƴƶʒƹƽǥƕƿȝƞȣȥⱥȼƚⱦɂƀʉʌɇɉɋɍɏѡѣѥѧѩѫѭѯѱѳѵѹѻѽѿҁҋҍҏғҕҗҙқҝҟҡңҥҧҩҫҭүұҳҵҷҹһҽҿӏӄӆ'
        'ӈӊӌӎӕәӡөӷӻӽӿԁԃԅԇԉԋԍԏԑԓԕԗԙԛԝԟԡԣԥԧԩԫԭԯաբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆⴀⴁⴂⴃⴄⴅⴆⴇⴈⴉⴊⴋⴌⴍⴎⴏⴐⴑⴒⴓⴔⴕⴖⴗⴘⴙ'
        'ⴚⴛⴜⴝⴞⴟⴠⴡⴢⴣⴤⴥⴧⴭაბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰჱჲჳჴჵჶჷჸჹჺჽჾჿỻỽỿⱡɫᵽɽⱨⱪⱬɑɱɐɒⱳⱶȿɀꙁꙃꙅꙇꙉꙋꙍꙏꙑꙓꙕꙗꙙꙛꙝꙟꙡꙣꙥꙧꙩꙫ'
        'ꙭꚁꚃꚅꚇꚉꚋꚍꚏꚑꚓꚕꚗꚙꚛꜣꜥꜧꜩꜫꜭꜯꜳꜵꜷꜹꜻꜽꜿꝁꝃꝅꝇꝉꝋꝍꝏꝑꝓꝕꝗꝙꝛꝝꝟꝡꝣꝥꝧꝩꝫꝭꝯꝺꝼᵹꝿꞁꞃꞅꞇꞌɥꞑꞓꞗꞙꞛꞝꞟꞡꞣꞥꞧꞩɦɜɡɬɪʞʇʝꭓꞵꞷꞹꞻꞽꞿꟁꟃꞔʂᶎꟈꟊꟑꟗꟙ'
        'ꟶ'
    ), 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th')
$$;

-- Folded text as words: runs of whatever is neither space nor punctuation.
CREATE FUNCTION search_words(folded text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT array_remove(regexp_split_to_array(folded,
        '[\u0001-\u002F\u003A-\u0040\u005B-\u0060\u007B-\u00BF\u00D7\u00F7\u02B0-\u02FF\u2000-\u2BFF\u2E00-\u2E7F\u3000-\u303F\uFE00-\uFE6F]+'
    ), '')
$$;

-- All by which an order is found: the words of its number, name and e-mail; those again without apostrophes and hyphens
-- (O’Brien as obrien); the number without its prefix; the e-mail, its domain and the payment's reference whole.
-- With its own search path: a dump is restored with none.
CREATE FUNCTION order_words(number text, name text, email text, reference text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path FROM CURRENT AS $$
DECLARE
    code text := lower(number COLLATE "C");
    who text := search_fold(name);
    address text := search_fold(email);
BEGIN
    RETURN array_to_tsvector(ARRAY(
        SELECT left(word, 200) FROM unnest(
            search_words(code || ' ' || who || ' ' || address || ' ' || translate(code || ' ' || who, '-''’ʼ', ''))
            || ARRAY[replace(substr(code, 4), '-', ''), address, '@' || split_part(address, '@', 2),
                     search_fold(reference)]
        ) AS word WHERE word <> ''
    ));
END $$;

-- What was typed as a question to those words, each of which may be the beginning of one. A term with an @ is (the
-- beginning of) an address or domain; any other is its words, or a reference. Every word is quoted: no operator that
-- somebody types is one.
CREATE FUNCTION order_query(typed text) RETURNS tsquery LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT coalesce(string_agg(CASE
               WHEN position('@' IN term) > 0 THEN whole
               WHEN parts = whole THEN whole
               ELSE '((' || parts || ') | ' || whole || ')' END, ' & '),
           '''' || replace(replace(coalesce(nullif(left(search_fold(typed), 200), ''), ' '), '\', '\\'), '''', '''''') || ''':*')::tsquery
    FROM regexp_split_to_table(search_fold(typed), '\s+') AS said
    CROSS JOIN LATERAL (SELECT left(btrim(said, '<>()[]{}"'',;'), 200) AS term) AS t
    CROSS JOIN LATERAL (
        SELECT '''' || replace(replace(term, '\', '\\'), '''', '''''') || ''':*' AS whole,
               (SELECT string_agg('''' || word || ''':*', ' & ') FROM unnest(search_words(term)) AS word) AS parts
    ) AS q
    WHERE parts IS NOT NULL OR position('@' IN term) > 0
$$;

-- Stored, so that a corrected name is found at once and by itself, and a walk over the newest orders is cheap.
ALTER TABLE orders ADD COLUMN words tsvector NOT NULL
    GENERATED ALWAYS AS (order_words(number, buyer_name, buyer_email, payment_reference)) STORED;
-- Without a pending list: it would be read through by every search until the next vacuum.
CREATE INDEX orders_by_words ON orders USING gin (words) WITH (fastupdate = off);

-- Newest first, all of them or one event's, with a second column that makes every place in the list one place.
CREATE INDEX orders_newest ON orders (created_at DESC, id DESC);
DROP INDEX orders_of_event;
CREATE INDEX orders_of_event ON orders (event_id, created_at DESC, id DESC);
